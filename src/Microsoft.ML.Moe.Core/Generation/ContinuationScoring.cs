namespace Microsoft.ML.Moe.Generation;

/// <summary>How probable it is that a model writes given texts: classes that are told by their names, for one.</summary>
internal static class ContinuationScoring
{
    /// <summary>Scores of so many numbers at most are held at a time, unless one prompt's are more.</summary>
    private const int ScoresAtOnce = 1 << 24;

    /// <summary>Natural logarithms of the probabilities of continuations, each the sum of its tokens'.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">Ids of each prompt.</param>
    /// <param name="continuations">Ids of each of C continuations, at least one; with an end token where the text is to end there.</param>
    /// <param name="promptsAtOnce">Most prompts that are read at the same time.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    /// <returns>C numbers for each prompt.</returns>
    public static double[][] LogProbabilities(
        IGenerativeModel model,
        IReadOnlyList<int[]> prompts,
        IReadOnlyList<int[]> continuations,
        int promptsAtOnce,
        CancellationToken stop = default)
    {
        var results = new double[prompts.Count][];
        var most = Math.Clamp(ScoresAtOnce / ((long)model.VocabularySize * continuations.Count), 1, promptsAtOnce);
        // prompts of about one length are read together: none waits for a long one
        foreach (var batch in Enumerable.Range(0, prompts.Count).OrderBy(i => prompts[i].Length).Chunk((int)most))
        {
            stop.ThrowIfCancellationRequested();
            foreach (var (place, values) in Score(model, [.. batch.Select(i => prompts[i])], continuations).Index())
                results[batch[place]] = values;
        }

        return results;
    }

    private static double[][] Score(IGenerativeModel model, IReadOnlyList<int[]> prompts, IReadOnlyList<int[]> continuations)
    {
        var longest = continuations.Max(c => c.Length);
        using var decoding = model.Begin(prompts, continuations.Count, longest);
        var results = new double[prompts.Count][];
        for (var p = 0; p < results.Length; p++)
            results[p] = new double[continuations.Count];
        var (scoresBV, next) = (new float[checked(decoding.Sequences * model.VocabularySize)], new int[decoding.Sequences]);
        for (var position = 0; position < longest; position++)
        {
            decoding.Next(position == 0 ? [] : next, scoresBV);
            var normalizer = 0.0;
            for (var sequence = 0; sequence < next.Length; sequence++)
            {
                var (prompt, c) = Math.DivRem(sequence, continuations.Count);
                var left = continuations[c].AsSpan(Math.Min(position, continuations[c].Length));
                next[sequence] = left.Length > 1 ? left[0] : Decoding.Ended;
                if (left.IsEmpty)
                    continue;
                ReadOnlySpan<float> scoresV = scoresBV.AsSpan(sequence * model.VocabularySize, model.VocabularySize);
                // what follows the prompt itself is the same for all continuations
                if (position > 0 || c == 0)
                    normalizer = GenerationRun.NormalizerOf(scoresV);
                results[prompt][c] += scoresV[left[0]] - normalizer;
            }
        }

        return results;
    }
}
