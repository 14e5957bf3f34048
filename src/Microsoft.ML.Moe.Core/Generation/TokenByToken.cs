using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Generation;

/// <summary>Takes the most probable token, or draws one, for each sequence on its own.</summary>
/// <param name="run">What it works on.</param>
internal sealed class TokenByToken(GenerationRun run)
{
    private readonly ScoreProcessors _processors = new(run.Options);
    private readonly float[] _changed = new float[run.Decoding.VocabularySize];

    /// <summary>Runs to the end of all answers.</summary>
    public GeneratedSequence[][] Search()
    {
        var decoding = run.Decoding;
        var vocabulary = decoding.VocabularySize;
        var sequences = new OpenSequence[decoding.Sequences];
        for (var i = 0; i < sequences.Length; i++)
        {
            var prompt = i / run.Copies;
            sequences[i] = new OpenSequence(
                decoding.ContextOf(i),
                run.Rooms[prompt],
                run.CreateText(),
                new StableRandom(run.Options.Seed ?? 0, run.NumberOf(prompt), i % run.Copies));
        }

        var scores = run.CreateScores();
        var next = new int[sequences.Length];
        for (decoding.Next([], scores); ; decoding.Next(next, scores))
        {
            run.Stop.ThrowIfCancellationRequested();
            for (var i = 0; i < sequences.Length; i++)
            {
                next[i] = sequences[i].End is null && Append(sequences[i], i, scores.AsSpan(i * vocabulary, vocabulary)) is { } token
                    ? token
                    : Decoding.Ended;
            }

            if (sequences.All(sequence => sequence.End is not null))
                return [.. sequences.Select(sequence => sequence.ToResult()).Chunk(run.Copies)];
        }
    }

    /// <summary>Appends a token; gives it where the sequence goes on.</summary>
    private int? Append(OpenSequence sequence, int number, ReadOnlySpan<float> scores)
    {
        var normalizer = GenerationRun.NormalizerOf(scores);
        scores.CopyTo(_changed);
        _processors.Apply(sequence.SoFar, _changed);
        var token = run.Options.Sample ? Draw(_changed, sequence.Random.Next()) : Best(_changed);
        if (token < 0)
            throw GenerationRun.NothingLeft(number / run.Copies);
        var piece = sequence.Append(token, scores[token] - normalizer, run.Ends(token));
        run.PieceMade?.Invoke(new GeneratedPiece(number / run.Copies, number % run.Copies, [token], piece, sequence.End));
        return sequence.End is null ? token : null;
    }

    /// <summary>The first of the largest scores; −1 where all are −∞.</summary>
    private static int Best(ReadOnlySpan<float> scores)
    {
        var (best, largest) = (-1, float.NegativeInfinity);
        for (var token = 0; token < scores.Length; token++)
            if (scores[token] > largest)
                (best, largest) = (token, scores[token]);
        return best;
    }

    /// <summary>The token that a number within (0, 1) falls on; −1 where all scores are −∞.</summary>
    private static int Draw(ReadOnlySpan<float> scores, double number)
    {
        var largest = Probabilities.Largest(scores);
        if (!float.IsFinite(largest))
            return -1;
        var (left, last) = (number * Probabilities.SumExp(scores, largest), -1);
        for (var token = 0; token < scores.Length; token++)
        {
            if (scores[token] == float.NegativeInfinity)
                continue;
            last = token;
            left -= Math.Exp(scores[token] - largest);
            if (left < 0)
                break;
        }

        return last;
    }

    /// <summary>A sequence that is being generated.</summary>
    private sealed class OpenSequence(ReadOnlySpan<int> context, int room, SequenceText text, StableRandom random)
    {
        private readonly int _context = context.Length;
        private int[] _tokens = context.ToArray();
        private int _length = context.Length;
        private double _logProbability;

        public StableRandom Random => random;

        public GenerationEnd? End { get; private set; }

        public SequenceSoFar SoFar => new(_tokens.AsSpan(0, _length), _context, _context + room);

        public string Append(int token, double logProbability, bool ends)
        {
            if (_length == _tokens.Length)
                Array.Resize(ref _tokens, (int)Math.Min(_context + (long)room, _length * 2L + 16));
            _tokens[_length++] = token;
            _logProbability += logProbability;
            var piece = ends ? "" : text.Append(token);
            End = ends ? GenerationEnd.EndToken
                : text.IsStopped ? GenerationEnd.StopString
                : _length - _context >= room ? GenerationEnd.Length
                : null;
            if (End is null)
                return piece;
            piece += text.End();
            // a stop string may end in what was held back
            if (text.IsStopped && End == GenerationEnd.Length)
                End = GenerationEnd.StopString;
            return piece;
        }

        public GeneratedSequence ToResult() => new(_tokens[_context.._length], text.Text, _logProbability, _logProbability, End!.Value);
    }
}
