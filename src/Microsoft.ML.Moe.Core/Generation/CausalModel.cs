using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Generation;

/// <summary>A causal language model as one that writes: an answer continues its prompt.</summary>
internal sealed class CausalModel : IGenerativeModel
{
    private readonly Model<EncodedText> _model;
    private readonly IRoutingObserver? _observer;
    private readonly NextTokenHead _head;

    /// <summary>Creates the view.</summary>
    /// <param name="model">The model.</param>
    /// <param name="observer">Is shown what the MoE layers route where; null for none.</param>
    /// <exception cref="ArgumentException">It is not causal.</exception>
    public CausalModel(Model<EncodedText> model, IRoutingObserver? observer = null)
    {
        (_model, _observer) = (model, observer);
        _head = model.Head as NextTokenHead ?? throw new ArgumentException("The model cannot tell the next token: it is not causal.", nameof(model));
        MaximumTokens = ((PublishedConfig)model.Config.Encoder).MaximumTokens;
    }

    /// <inheritdoc/>
    public int VocabularySize => _head.VocabularySize;

    /// <inheritdoc/>
    public int MaximumTokens { get; }

    /// <inheritdoc/>
    public int ContextLength(int[] prompt) => prompt.Length;

    /// <inheritdoc/>
    public void CheckPrompt(int[] prompt, string name)
    {
        if (prompt.Length == 0)
            throw new ArgumentException($"{name} has no tokens: a causal model needs one at least, such as its start token.", nameof(prompt));
        if (prompt.Length >= MaximumTokens)
        {
            throw new ArgumentException(
                $"{name} has {prompt.Length} tokens and leaves no room for an answer: the model has positions for {MaximumTokens}.",
                nameof(prompt));
        }

        Check.Indices(prompt, VocabularySize, nameof(prompt));
    }

    /// <inheritdoc/>
    public Decoding Begin(IReadOnlyList<int[]> prompts, int copies, int capacity)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentOutOfRangeException.ThrowIfLessThan(prompts.Count, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(copies, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        foreach (var (number, prompt) in prompts.Index())
            CheckPrompt(prompt, Generator.NameOf(number));

        // the capacity is one for all prompts, and a long one may have less room
        var tokens = (int)Math.Min((long)prompts.Max(p => p.Length) + capacity, MaximumTokens);
        MemoryNeeds.CheckCache(_model.Config.Encoder, prompts.Count * copies, tokens, MemoryNeeds.AvailableBeside(_model));
        return new CausalDecoding(this, prompts, copies, new DecodingCache(_model.Engine, prompts.Count * copies, tokens));
    }

    /// <summary>Runs new tokens of sequences, and scores what follows the last of each.</summary>
    /// <param name="cache">What came before; null where the tokens are all that there is.</param>
    /// <param name="layout">The sequences' new tokens; those without are not scored.</param>
    /// <param name="ids">Id of each token.</param>
    /// <param name="scores">Receives a row of V scores for each sequence with tokens, where its number says.</param>
    private void Score(DecodingCache? cache, SequenceLayout layout, int[] ids, Span<float> scores)
    {
        using var tape = _model.BeginScoring(_observer);
        var batch = new TokenIdBatch().Reset(layout, ids, default);
        var encoded = _model.Encode(tape, batch, _observer, _model.Policies, cache: cache);
        LastTokens.Score(tape, encoded.Last, layout, _head.Scores, scores);
    }

    private sealed class CausalDecoding(CausalModel model, IReadOnlyList<int[]> prompts, int copies, DecodingCache cache) : Decoding
    {
        private bool _hasBegun;

        public override int Sequences => cache.Sequences;

        public override int VocabularySize => model.VocabularySize;

        public override ReadOnlySpan<int> ContextOf(int sequence) => prompts[sequence / copies];

        public override void Next(ReadOnlySpan<int> tokens, Span<float> scores)
        {
            if (!_hasBegun)
            {
                Begin(scores);
                return;
            }

            var offsets = new int[Sequences + 1];
            var ids = new List<int>(Sequences);
            for (var sequence = 0; sequence < Sequences; sequence++)
            {
                if (tokens[sequence] != Ended)
                    ids.Add(tokens[sequence]);
                offsets[sequence + 1] = ids.Count;
            }

            if (ids.Count > 0)
                model.Score(cache, new SequenceLayout(offsets), [.. ids], scores);
        }

        public override void Reorder(ReadOnlySpan<int> sources) => cache.Reorder(sources);

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                cache.Dispose();
        }

        // the first copy of each prompt is computed, the others go on from it
        private void Begin(Span<float> scores)
        {
            var offsets = new int[Sequences + 1];
            for (var sequence = 0; sequence < Sequences; sequence++)
                offsets[sequence + 1] = offsets[sequence] + (sequence % copies == 0 ? prompts[sequence / copies].Length : 0);
            model.Score(cache, new SequenceLayout(offsets), [.. prompts.SelectMany(p => p)], scores);
            _hasBegun = true;
            if (copies == 1)
                return;
            cache.Reorder([.. Enumerable.Range(0, Sequences).Select(sequence => sequence / copies * copies)]);
            for (var sequence = 0; sequence < Sequences; sequence++)
                if (sequence % copies > 0)
                    scores.Slice(sequence / copies * copies * VocabularySize, VocabularySize).CopyTo(scores[(sequence * VocabularySize)..]);
        }
    }
}
