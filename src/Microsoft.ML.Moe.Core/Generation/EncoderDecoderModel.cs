using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// An encoder–decoder as one that writes: each prompt is encoded once, and an answer begins with the decoder's start token. With a cache the
/// decoder sees one new token of each answer at a time, so that a capacity of experts, which counts within a pass, drops none of them; without
/// one it sees the whole answer at every step, and drops as in training.
/// </summary>
internal sealed class EncoderDecoderModel : IGenerativeModel
{
    private readonly Model<EncodedText> _model;
    private readonly DecoderHead _head;
    private readonly EncoderDecoderConfig _config;
    private readonly bool _usesCache;
    private readonly bool _padsLeft;
    private readonly IRoutingObserver? _observer;

    /// <summary>Creates the view.</summary>
    /// <param name="model">The model.</param>
    /// <param name="usesCache">Whether the decoder keeps keys and values of the tokens that it has seen.</param>
    /// <param name="padsLeft">
    /// Whether shorter prompts are filled up on the left with padding, which no token reads but which competes for experts where the router's
    /// <see cref="Router.MaskPadding"/> is false: to reproduce what others computed so. By default nothing is padded.
    /// </param>
    /// <param name="observer">Is shown what the MoE layers route where; null for none.</param>
    /// <exception cref="ArgumentException">It has no decoder.</exception>
    public EncoderDecoderModel(Model<EncodedText> model, bool usesCache = true, bool padsLeft = false, IRoutingObserver? observer = null)
    {
        (_model, _usesCache, _padsLeft, _observer) = (model, usesCache, padsLeft, observer);
        _head = model.Head as DecoderHead ?? throw new ArgumentException("The model has no decoder.", nameof(model));
        _config = (EncoderDecoderConfig)model.Config.Encoder;
    }

    /// <inheritdoc/>
    public int VocabularySize => _head.VocabularySize;

    /// <inheritdoc/>
    public int MaximumTokens => int.MaxValue;

    /// <inheritdoc/>
    public int ContextLength(int[] prompt) => 1;

    /// <inheritdoc/>
    public void CheckPrompt(int[] prompt, string name)
    {
        if (prompt.Length == 0)
            throw new ArgumentException($"{name} has no tokens: an encoder needs one at least, such as its end token.", nameof(prompt));
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
        if (_usesCache)
        {
            var (sequences, tokens) = (checked(prompts.Count * copies), checked(capacity + 1));
            var needed = MemoryNeeds.OfCache(_config, sequences, tokens, prompts.Max(prompt => prompt.Length));
            MemoryNeeds.CheckCache(needed, sequences, tokens, MemoryNeeds.AvailableBeside(_model));
        }

        using var tape = BeginScoring();
        var (encoded, layout) = Encode(tape, prompts);
        return _usesCache
            ? new CachedDecoding(this, tape, encoded, layout, copies, checked(capacity + 1))
            : new WholeDecoding(this, encoded, layout, copies);
    }

    private Tape BeginScoring() => _model.BeginScoring(_observer);

    /// <summary>The states of the prompts' tokens, and where each prompt's are.</summary>
    private (Tensor StatesSD, SequenceLayout Layout) Encode(Tape tape, IReadOnlyList<int[]> prompts)
    {
        var longest = prompts.Max(prompt => prompt.Length);
        var (offsets, places) = (new int[prompts.Count + 1], new int[prompts.Count + 1]);
        var (ids, isToken) = (new List<int>(), new List<bool>());
        for (var row = 0; row < prompts.Count; row++)
        {
            var padding = _padsLeft ? longest - prompts[row].Length : 0;
            ids.AddRange(Enumerable.Repeat(_config.PaddingId, padding));
            ids.AddRange(prompts[row]);
            isToken.AddRange(Enumerable.Range(0, padding + prompts[row].Length).Select(place => place >= padding));
            (places[row + 1], offsets[row + 1]) = (ids.Count, offsets[row] + prompts[row].Length);
        }

        var isPadded = isToken.Contains(false);
        var batch = new TokenIdBatch().Reset(new SequenceLayout(places, isPadded ? [.. isToken] : null), ids.ToArray(), default);
        var states = _model.Encode(tape, batch, _observer, _model.Policies).Last;
        if (isPadded)
            states = tape.Embedding(states, [.. Enumerable.Range(0, ids.Count).Where(place => isToken[place])]);
        return (states, new SequenceLayout(offsets));
    }

    /// <summary>Runs tokens of answers through the decoder, and scores what follows the last of each.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="layout">The answers' tokens; those without are not scored.</param>
    /// <param name="ids">Id of each token.</param>
    /// <param name="source">What the decoder reads.</param>
    /// <param name="cache">What came before; null where the tokens are all that there is.</param>
    /// <param name="scores">Receives a row of V scores for each answer with tokens, where its number says.</param>
    private void Score(Tape tape, SequenceLayout layout, int[] ids, DecoderSource source, DecodingCache? cache, Span<float> scores)
    {
        var context = new ForwardContext(tape, layout, _observer, _model.Policies, cache);
        var states = _head.Decode(context, ids, source);
        cache?.Count(layout);
        LastTokens.Score(tape, states.Last, layout, _head.Scores, scores);
    }

    /// <summary>What both ways of decoding share.</summary>
    private abstract class Answers(EncoderDecoderModel model, int sequences) : Decoding
    {
        private readonly int[] _context = [model._head.StartId];
        private bool _hasBegun;

        protected EncoderDecoderModel Model => model;

        public override int Sequences => sequences;

        public override int VocabularySize => model.VocabularySize;

        public override ReadOnlySpan<int> ContextOf(int sequence) => _context;

        public override void Next(ReadOnlySpan<int> tokens, Span<float> scores)
        {
            int[] next = _hasBegun ? tokens.ToArray() : [.. Enumerable.Repeat(model._head.StartId, sequences)];
            _hasBegun = true;
            if (next.Any(token => token != Ended))
                Append(next, scores);
        }

        /// <summary>Appends a token to each answer that has not ended, one at least, and scores the next.</summary>
        protected abstract void Append(int[] tokens, Span<float> scores);

        /// <summary>Packs some ids of each answer.</summary>
        protected static (SequenceLayout Layout, int[] Ids) Pack(IEnumerable<IReadOnlyList<int>> answers)
        {
            var (offsets, ids) = (new List<int> { 0 }, new List<int>());
            foreach (var answer in answers)
            {
                ids.AddRange(answer);
                offsets.Add(ids.Count);
            }

            return (new SequenceLayout([.. offsets]), [.. ids]);
        }
    }

    /// <summary>A new token of each answer at a time; keys and values of all layers are kept.</summary>
    private sealed class CachedDecoding : Answers
    {
        private readonly DecodingCache _cache;

        public CachedDecoding(
            EncoderDecoderModel model, Tape tape, Tensor statesSD, SequenceLayout prompts, int copies, int capacity)
            : base(model, prompts.Sequences * copies)
        {
            _cache = new DecodingCache(model._model.Engine, Sequences, capacity);
            // the first copy's keys and values are computed, the others take them over
            var offsets = new int[Sequences + 1];
            for (var sequence = 0; sequence < Sequences; sequence++)
                offsets[sequence + 1] = prompts.Offsets[sequence / copies + 1];
            model._head.Keep(new ForwardContext(tape, new SequenceLayout(offsets), cache: _cache), statesSD);
            if (copies > 1)
                _cache.Reorder([.. Enumerable.Range(0, Sequences).Select(sequence => sequence / copies * copies)]);
        }

        public override void Reorder(ReadOnlySpan<int> sources) => _cache.Reorder(sources);

        protected override void Append(int[] tokens, Span<float> scores)
        {
            var (layout, ids) = Pack(tokens.Select(token => token == Ended ? [] : new[] { token }));
            using var tape = Model.BeginScoring();
            Model.Score(tape, layout, ids, default, _cache, scores);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                _cache.Dispose();
        }
    }

    /// <summary>The whole of each answer at every step.</summary>
    private sealed class WholeDecoding(EncoderDecoderModel model, Tensor statesSD, SequenceLayout prompts, int copies)
        : Answers(model, prompts.Sequences * copies)
    {
        private readonly float[] _states = statesSD.ToArray();
        private readonly List<int>[] _answers = [.. Enumerable.Range(0, prompts.Sequences * copies).Select(_ => new List<int>())];

        public override void Reorder(ReadOnlySpan<int> sources)
        {
            List<int>[] before = [.. _answers];
            for (var sequence = 0; sequence < Sequences; sequence++)
                _answers[sequence] = [.. before[sources[sequence]]];
        }

        protected override void Append(int[] tokens, Span<float> scores)
        {
            var width = _states.Length / prompts.Tokens;
            var states = new List<float>();
            var offsets = new int[Sequences + 1];
            for (var sequence = 0; sequence < Sequences; sequence++)
            {
                offsets[sequence + 1] = offsets[sequence];
                if (tokens[sequence] == Ended)
                    continue;
                _answers[sequence].Add(tokens[sequence]);
                var (start, end) = (prompts.Offsets[sequence / copies], prompts.Offsets[sequence / copies + 1]);
                states.AddRange(_states.AsSpan(start * width, (end - start) * width));
                offsets[sequence + 1] += end - start;
            }

            var (layout, ids) = Pack(_answers.Select((answer, sequence) => tokens[sequence] == Ended ? [] : answer));
            using var tape = Model.BeginScoring();
            var source = new DecoderSource(tape.Constant(states.ToArray(), offsets[^1], width), new SequenceLayout(offsets));
            Model.Score(tape, layout, ids, source, null, scores);
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
