using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// Probabilities that a model gives to answers that are there already: of an encoder–decoder to a row's targets, of a causal model to its
/// tokens from the first target on.
/// </summary>
internal static class AnswerScoring
{
    /// <summary>Scores of so many numbers at most are held at a time, unless one row's are more.</summary>
    private const int ScoresAtOnce = 1 << 24;

    /// <summary>Measures a model on rows with answers.</summary>
    /// <param name="model">The model.</param>
    /// <param name="rows">The rows, and how many characters each answer has.</param>
    /// <param name="observer">Is shown what the MoE layers route where; null for none.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    /// <exception cref="InvalidOperationException">A row has more tokens than the model reads; the message tells which.</exception>
    public static TextScore Measure(
        Model<EncodedText> model,
        IEnumerable<(EncodedText Row, int Characters)> rows,
        IRoutingObserver? observer = null,
        CancellationToken stop = default)
    {
        var vocabulary = model.Head switch
        {
            NextTokenHead head => head.VocabularySize,
            DecoderHead head => head.VocabularySize,
            _ => throw new ArgumentException("The model writes no text.", nameof(model)),
        };
        var tally = new RoutingTally(observer);
        var (tokens, nats, characters) = (0L, 0.0, 0L);
        var (batch, scores) = (new List<Example<EncodedText>>(), 0L);
        var most = ((PublishedConfig)model.Config.Encoder).MaximumTokens;
        foreach (var (number, (row, count)) in rows.Index())
        {
            if (Math.Max(row.Length, row.Ids!.Targets?.Length ?? 0) is var length && length > most)
            {
                throw new InvalidOperationException(
                    $"Row {number + 1} has {length} tokens with its answer, and the model reads {most}: shorten the text.");
            }

            var scoresOfRow = (long)vocabulary * TokensOf(model, row.Ids);
            if (scores + scoresOfRow > ScoresAtOnce)
                Add();
            batch.Add(new Example<EncodedText>(row, 0f));
            scores += scoresOfRow;
            characters += count;
        }

        Add();
        return new TextScore(tokens, -nats, characters, tally.ExpertsPerToken);

        void Add()
        {
            stop.ThrowIfCancellationRequested();
            if (batch.Count > 0 && model.Measure(batch, observer: tally) is { Result: var (loss, _), Count: var count })
            {
                nats += loss * count;
                tokens += count;
            }

            batch.Clear();
            scores = 0;
        }
    }

    private static int TokensOf(Model<EncodedText> model, TokenIds ids) =>
        model.Head is DecoderHead ? ids.Targets?.Length ?? 0 : ids.Ids.Length - ids.FirstTarget;
}
