using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>What a decoder reads of a batch, and what it is to tell.</summary>
/// <param name="Layout">Sequences within its T tokens.</param>
/// <param name="Inputs">Id of each token: each row's targets, moved one to the right, the start token first.</param>
/// <param name="Rows">The M tokens that a counted target follows, ascending.</param>
/// <param name="Labels">The target of each of those.</param>
internal sealed record DecoderTargets(SequenceLayout Layout, int[] Inputs, int[] Rows, int[] Labels)
{
    /// <summary>The targets of rows; a row without has no tokens.</summary>
    /// <param name="rows">Ids of each row's targets, <see cref="TokenIds.NotCounted"/> where there is to be no loss.</param>
    /// <param name="start">Id of the start token.</param>
    /// <param name="padding">Id that the decoder reads in place of a target that is not counted.</param>
    public static DecoderTargets Of(IReadOnlyList<int[]> rows, int start, int padding)
    {
        var offsets = new int[rows.Count + 1];
        for (var row = 0; row < rows.Count; row++)
            offsets[row + 1] = offsets[row] + rows[row].Length;
        var inputs = new int[offsets[^1]];
        var (counted, labels) = (new List<int>(inputs.Length), new List<int>(inputs.Length));
        for (var row = 0; row < rows.Count; row++)
        {
            foreach (var (position, label) in rows[row].Index())
            {
                var token = offsets[row] + position;
                var before = position == 0 ? start : rows[row][position - 1];
                inputs[token] = before == TokenIds.NotCounted ? padding : before;
                if (label == TokenIds.NotCounted)
                    continue;
                counted.Add(token);
                labels.Add(label);
            }
        }

        return new DecoderTargets(new SequenceLayout(offsets), inputs, [.. counted], [.. labels]);
    }
}
