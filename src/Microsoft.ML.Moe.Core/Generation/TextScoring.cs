using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Generation;

/// <summary>Probabilities that a causal model gives to tokens that are there already.</summary>
internal static class TextScoring
{
    /// <summary>Scores of so many numbers at most are held at a time.</summary>
    private const int ScoresAtOnce = 1 << 24;

    /// <summary>Stretches of at most so many tokens that a text is read in, of a model that could read more.</summary>
    private const int LongestStretch = 1024;

    /// <summary>Measures a model on texts.</summary>
    /// <param name="model">The model.</param>
    /// <param name="texts">
    /// Ids and characters of each text; one longer than a stretch is read in several, of each of which the first token is not told.
    /// </param>
    /// <param name="maximumTokens">Longest stretch, at least 2; null for as much as the model reads, 1,024 at most.</param>
    /// <param name="observer">Is shown what the MoE layers route where; null for none.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    public static TextScore Measure(
        Model<EncodedText> model,
        IEnumerable<(int[] Ids, int Characters)> texts,
        int? maximumTokens = null,
        IRoutingObserver? observer = null,
        CancellationToken stop = default)
    {
        var length = StretchOf(model, maximumTokens);
        var tally = new RoutingTally(observer);
        var (tokens, sum, characters) = (0L, 0.0, 0L);
        foreach (var (ids, count) in texts)
        {
            characters += count;
            foreach (var stretch in ids.Chunk(length).Where(s => s.Length > 1))
            {
                stop.ThrowIfCancellationRequested();
                foreach (var value in LogProbabilities(model, stretch, tally))
                    sum += value;
                tokens += stretch.Length - 1;
            }
        }

        return new TextScore(tokens, sum, characters, tally.ExpertsPerToken);
    }

    /// <summary>Natural logarithms of the probabilities of all tokens of a row but the first, each given those before it.</summary>
    /// <param name="model">The model; causal.</param>
    /// <param name="ids">Ids of the row, two at least and not more than the model reads.</param>
    /// <param name="observer">Is shown what the MoE layers route where; null for none.</param>
    public static double[] LogProbabilities(Model<EncodedText> model, int[] ids, IRoutingObserver? observer = null)
    {
        var head = model.Head as NextTokenHead ?? throw new ArgumentException("The model cannot tell the next token: it is not causal.", nameof(model));
        Check.Indices(ids, head.VocabularySize, nameof(ids));
        using var tape = model.BeginScoring(observer);
        var batch = new TokenIdBatch().Reset(new SequenceLayout([0, ids.Length]), ids, default);
        var lastTD = model.Encode(tape, batch, observer, model.Policies).Last;
        var results = new double[ids.Length - 1];
        var atOnce = Math.Max(1, ScoresAtOnce / head.VocabularySize);
        for (var start = 0; start < results.Length; start += atOnce)
        {
            var count = Math.Min(atOnce, results.Length - start);
            var scoresMV = head.Scores(tape, tape.Embedding(lastTD, [.. Enumerable.Range(start, count)])).ToArray();
            for (var i = 0; i < count; i++)
            {
                ReadOnlySpan<float> scoresV = scoresMV.AsSpan(i * head.VocabularySize, head.VocabularySize);
                results[start + i] = scoresV[ids[start + i + 1]] - Probabilities.LogSumExp(scoresV);
            }
        }

        return results;
    }

    private static int StretchOf(Model<EncodedText> model, int? maximumTokens)
    {
        var most = ((PublishedConfig)model.Config.Encoder).MaximumTokens;
        if (maximumTokens is not { } given)
            return Math.Min(LongestStretch, most);
        return given >= 2 && given <= most
            ? given
            : throw new ArgumentOutOfRangeException(nameof(maximumTokens), given, $"A stretch has 2 tokens at least, and {most}, as many as the model reads, at most.");
    }
}
