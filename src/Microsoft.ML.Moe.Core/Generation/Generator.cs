using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// Continues prompts by a model: greedily, by sampling, or by beam search. Safe to use from several threads where the model is.
/// </summary>
internal sealed class Generator
{
    /// <summary>Parts of answers that a stream makes before its reader takes them; then it waits.</summary>
    private const int PiecesAhead = 256;

    private readonly IGenerativeModel _model;
    private readonly GenerationOptions _options;
    private readonly Func<IReadOnlyList<int>, string>? _decode;

    /// <summary>Checks the options.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">How it goes on.</param>
    /// <param name="decode">Makes text of tokens, without special ones; null: answers have no text.</param>
    /// <exception cref="ArgumentException">The options contradict each other, or need text.</exception>
    public Generator(IGenerativeModel model, GenerationOptions options, Func<IReadOnlyList<int>, string>? decode = null)
    {
        (_model, _options, _decode) = (model, options, decode);
        if (options.Beams > 1 && options.SequencesPerPrompt > options.Beams)
        {
            throw new ArgumentException(
                $"{nameof(options.SequencesPerPrompt)} is {options.SequencesPerPrompt}, more than the {options.Beams} {nameof(options.Beams)}.",
                nameof(options));
        }

        if (options is { Beams: 1, Sample: false, SequencesPerPrompt: > 1 })
        {
            throw new ArgumentException(
                $"{nameof(options.SequencesPerPrompt)} is {options.SequencesPerPrompt}, but there is one answer of the most probable tokens: "
                + $"set {nameof(options.Sample)}, or as many {nameof(options.Beams)}.",
                nameof(options));
        }

        if (options.StopStrings.Count > 0 && decode is null)
            throw new ArgumentException($"{nameof(options.StopStrings)} needs a tokenizer.", nameof(options));
    }

    /// <summary>Continues prompts, which may be of unequal lengths; one's answers do not depend on the others.</summary>
    /// <param name="prompts">Ids of each prompt, at least one.</param>
    /// <param name="firstNumber">Number of the first prompt among all that the seed is for.</param>
    /// <param name="pieceMade">Is called with each part of an answer, in the order of their making; null for none.</param>
    /// <param name="stop">Ends it between two tokens.</param>
    /// <returns>
    /// For each prompt its answers: of beam search the best first, and fewer than asked for where no more are possible; of sampling in the order
    /// in which they were drawn.
    /// </returns>
    /// <exception cref="ArgumentException">A prompt is empty, or leaves no room for an answer.</exception>
    /// <exception cref="InvalidOperationException">The options ban every token, or the model's scores are not numbers.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public GeneratedSequence[][] Generate(
        IReadOnlyList<int[]> prompts, long firstNumber = 0, Action<GeneratedPiece>? pieceMade = null, CancellationToken stop = default) =>
        Generate(prompts, prompt => firstNumber + prompt, pieceMade, stop);

    /// <summary>As the other, with prompts that have any numbers.</summary>
    /// <param name="prompts">Ids of each prompt, at least one.</param>
    /// <param name="numberOf">Number of a prompt among all that the seed is for.</param>
    /// <param name="pieceMade">See there.</param>
    /// <param name="stop">See there.</param>
    public GeneratedSequence[][] Generate(
        IReadOnlyList<int[]> prompts, Func<int, long> numberOf, Action<GeneratedPiece>? pieceMade = null, CancellationToken stop = default)
    {
        if (prompts.Count == 0)
            return [];
        CheckPrompts(prompts);
        stop.ThrowIfCancellationRequested();
        var copies = _options.SequencesAtOnce;
        using var decoding = _model.Begin(prompts, copies, Capacity());
        int[] rooms = [.. prompts.Select(RoomOf)];
        var run = new GenerationRun(_options, decoding, copies, rooms, numberOf, _decode, pieceMade, stop);
        return _options.Beams > 1 ? new BeamSearch(run).Search() : new TokenByToken(run).Search();
    }

    /// <summary>
    /// Continues prompts on a thread of the pool and gives the parts of their answers as they are made, at most
    /// <see cref="PiecesAhead"/> before they are taken. Who ends the enumeration early ends the work too.
    /// </summary>
    /// <param name="prompts">Ids of each prompt, at least one.</param>
    /// <param name="firstNumber">Number of the first prompt among all that the seed is for.</param>
    /// <param name="stop">Ends it between two tokens: the parts that were given stand.</param>
    /// <exception cref="ArgumentException">A prompt is empty, or leaves no room for an answer.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async IAsyncEnumerable<GeneratedPiece> StreamAsync(
        IReadOnlyList<int[]> prompts, long firstNumber = 0, [EnumeratorCancellation] CancellationToken stop = default)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var pieces = Channel.CreateBounded<GeneratedPiece>(new BoundedChannelOptions(PiecesAhead) { SingleReader = true, SingleWriter = true });
        var work = Task.Run(
            () =>
            {
                try
                {
                    Generate(prompts, firstNumber, Give, ended.Token);
                }
                finally
                {
                    pieces.Writer.Complete();
                }
            },
            CancellationToken.None);

        // on the generating thread, which waits here while its reader is behind
        void Give(GeneratedPiece piece)
        {
            if (!pieces.Writer.TryWrite(piece))
                pieces.Writer.WriteAsync(piece, ended.Token).AsTask().GetAwaiter().GetResult();
        }

        try
        {
            // what was made before a cancellation is still given
            await foreach (var piece in pieces.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
                yield return piece;
            await work.ConfigureAwait(false);
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await ((Task)work).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Checks that each prompt can be answered, before any is.</summary>
    /// <param name="prompts">Ids of each prompt.</param>
    /// <param name="nameOf">What errors call a prompt; null for <see cref="NameOf"/>.</param>
    /// <exception cref="ArgumentException">A prompt is empty, or leaves no room for an answer; the message names it.</exception>
    public void CheckPrompts(IReadOnlyList<int[]> prompts, Func<int, string>? nameOf = null)
    {
        for (var p = 0; p < prompts.Count; p++)
        {
            var name = (nameOf ?? NameOf)(p);
            if (prompts[p].Length == 0)
                throw new ArgumentException($"{name} has no tokens.", nameof(prompts));
            _model.CheckPrompt(prompts[p], name);
            if (RoomOf(prompts[p]) < 1)
            {
                var (most, limit) = LimitOf();
                throw new ArgumentException(
                    $"{name} has {_model.ContextLength(prompts[p])} tokens and leaves no room for an answer: {limit} is {most}.", nameof(prompts));
            }
        }
    }

    /// <summary>What errors call a prompt of which only the number is known, from 0.</summary>
    public static string NameOf(int number) => $"Prompt {number}";

    private int Capacity()
    {
        if (_options.MaximumNewTokens is { } tokens)
            return Math.Min(tokens, _model.MaximumTokens);
        var length = Math.Min(_options.MaximumLength ?? int.MaxValue, _model.MaximumTokens);
        if (length == int.MaxValue)
        {
            throw new ArgumentException(
                $"Nothing limits the answers: set {nameof(GenerationOptions)}.{nameof(GenerationOptions.MaximumNewTokens)}.");
        }

        return length;
    }

    /// <summary>Most tokens of a prompt's answers; below 1 where it leaves none.</summary>
    private int RoomOf(int[] prompt) => Math.Min(_options.MaximumNewTokens ?? int.MaxValue, LimitOf().Most - _model.ContextLength(prompt));

    private (int Most, string Name) LimitOf() => _options.MaximumNewTokens is null && _options.MaximumLength < _model.MaximumTokens
        ? (_options.MaximumLength.Value, nameof(GenerationOptions.MaximumLength))
        : (_model.MaximumTokens, "the most that the model takes");
}
