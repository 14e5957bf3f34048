using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Generation;

/// <summary>Scores of what follows the last of each sequence's new tokens.</summary>
internal static class LastTokens
{
    /// <summary>Scores the vocabulary.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="statesTD">States of the new tokens.</param>
    /// <param name="layout">The sequences' new tokens; those without are not scored.</param>
    /// <param name="score">Makes [M, V] scores of [M, D] states.</param>
    /// <param name="scores">Receives a row of V scores for each sequence with tokens, where its number says.</param>
    public static void Score(Tape tape, Tensor statesTD, SequenceLayout layout, Func<Tape, Tensor, Tensor> score, Span<float> scores)
    {
        var offsets = layout.Offsets.ToArray();
        int[] sequences = [.. Enumerable.Range(0, layout.Sequences).Where(s => offsets[s + 1] > offsets[s])];
        var scoresMV = score(tape, tape.Embedding(statesTD, [.. sequences.Select(s => offsets[s + 1] - 1)]));
        var vocabulary = scoresMV.Columns;
        var values = scoresMV.ToArray();
        foreach (var (place, sequence) in sequences.Index())
            values.AsSpan(place * vocabulary, vocabulary).CopyTo(scores[(sequence * vocabulary)..]);
    }
}
