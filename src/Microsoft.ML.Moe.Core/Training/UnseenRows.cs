using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Rows of the token table that no training text uses would keep the random numbers that they begin with: noise to a text with words
/// never seen, and nothing that a zip could compress. They begin, and stay, at zero.
/// </summary>
internal static class UnseenRows
{
    /// <summary>Sets the rows to zero that no text uses.</summary>
    /// <param name="tableVD">The token table, [V, D].</param>
    /// <param name="texts">The training texts.</param>
    /// <param name="isLearned">Tells the rows that an earlier training has learned, which stay; null when there was none.</param>
    public static void Clear(Parameter tableVD, IEnumerable<EncodedText> texts, Func<int, bool>? isLearned = null)
    {
        var isUsed = new bool[tableVD.Value.Shape[0]];
        isUsed.AsSpan(0, TextInput.SpecialRows).Fill(true);
        foreach (var text in texts)
            foreach (var token in text.Tokens)
                foreach (var row in token.Rows)
                    isUsed[row] = true;

        var width = tableVD.Value.Columns;
        var values = tableVD.Value.ToArray();
        for (var row = 0; row < isUsed.Length; row++)
            if (!isUsed[row] && isLearned?.Invoke(row) != true)
                values.AsSpan(row * width, width).Clear();
        tableVD.Value.CopyFrom(values);
    }
}
