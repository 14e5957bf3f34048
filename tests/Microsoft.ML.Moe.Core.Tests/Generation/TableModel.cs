using Microsoft.ML.Moe.Generation;

namespace Microsoft.ML.Moe.Tests.Generation;

/// <summary>A model whose scores of the next token are random numbers that depend on the last two tokens alone.</summary>
/// <param name="vocabulary">V.</param>
/// <param name="seed">Of the numbers.</param>
internal sealed class TableModel(int vocabulary, int seed = 0) : IGenerativeModel
{
    public int VocabularySize => vocabulary;

    public int MaximumTokens { get; init; } = int.MaxValue;

    /// <summary>A decoder's start token; null: the prompt is the context.</summary>
    public int? StartToken { get; init; }

    /// <summary>How far apart scores are.</summary>
    public float Spread { get; init; } = 2f;

    /// <summary>Scores added to tokens, whatever stands before them.</summary>
    public float[] Added { get; init; } = new float[vocabulary];

    /// <summary>Passes that were made so far.</summary>
    public int Passes { get; private set; }

    /// <summary>Decodings that were disposed.</summary>
    public int Disposed { get; private set; }

    public int ContextLength(int[] prompt) => StartToken is null ? prompt.Length : 1;

    public void CheckPrompt(int[] prompt, string name)
    {
    }

    public Decoding Begin(IReadOnlyList<int[]> prompts, int copies, int capacity) => new Table(this, prompts, copies, capacity);

    /// <summary>Scores of the next token.</summary>
    public float[] Scores(int beforeLast, int last)
    {
        var random = new Random(seed * 1_000_003 + (beforeLast + 1) * 1009 + last);
        var scores = new float[vocabulary];
        for (var token = 0; token < vocabulary; token++)
            scores[token] = (float)(random.NextDouble() * 2 - 1) * Spread + Added[token];
        return scores;
    }

    /// <summary>Log-probabilities of the next token.</summary>
    public double[] LogProbabilities(IReadOnlyList<int> tokens)
    {
        var scores = Scores(tokens.Count > 1 ? tokens[^2] : -1, tokens[^1]);
        var normalizer = Math.Log(scores.Sum(s => Math.Exp(s)));
        return [.. scores.Select(s => s - normalizer)];
    }

    private sealed class Table : Decoding
    {
        private readonly TableModel _model;
        private readonly int[][] _contexts;
        private readonly int[] _lengths;
        private readonly int _capacity;
        private List<int>[] _sequences;

        public Table(TableModel model, IReadOnlyList<int[]> prompts, int copies, int capacity)
        {
            _model = model;
            _capacity = capacity;
            _contexts = [.. prompts.SelectMany(prompt => Enumerable.Repeat(model.StartToken is { } start ? [start] : prompt, copies))];
            // an encoder-decoder's scores depend on the prompt too: by its last token before the start token
            _sequences = [.. prompts.SelectMany(prompt => Enumerable.Range(0, copies).Select(_ =>
                model.StartToken is { } start ? new List<int> { prompt[^1], start } : [.. prompt]))];
            _lengths = [.. _sequences.Select(sequence => sequence.Count)];
        }

        public override int Sequences => _sequences.Length;

        public override int VocabularySize => _model.VocabularySize;

        public override ReadOnlySpan<int> ContextOf(int sequence) => _contexts[sequence];

        public override void Next(ReadOnlySpan<int> tokens, Span<float> scores)
        {
            _model.Passes++;
            Assert.Equal(Sequences * VocabularySize, scores.Length);
            for (var i = 0; i < Sequences; i++)
            {
                if (!tokens.IsEmpty && tokens[i] < 0)
                {
                    scores.Slice(i * VocabularySize, VocabularySize).Fill(float.NaN);
                    continue;
                }

                if (!tokens.IsEmpty)
                    _sequences[i].Add(tokens[i]);
                Assert.InRange(_sequences[i].Count - _lengths[i], 0, _capacity);
                var sequence = _sequences[i];
                _model.Scores(sequence.Count > 1 ? sequence[^2] : -1, sequence[^1]).CopyTo(scores[(i * VocabularySize)..]);
            }
        }

        public override void Reorder(ReadOnlySpan<int> sources)
        {
            var before = _sequences;
            _sequences = [.. sources.ToArray().Select(source => new List<int>(before[source]))];
        }

        protected override void Dispose(bool disposing) => _model.Disposed++;
    }
}
