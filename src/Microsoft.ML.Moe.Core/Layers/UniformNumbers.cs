using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>Evenly distributed numbers as a function of a key and a place, as <see cref="NormalNumbers"/> are.</summary>
internal static class UniformNumbers
{
    private const int Bits = 24;

    /// <summary>Draws numbers within [−bound, bound).</summary>
    /// <param name="key">Other keys give other numbers.</param>
    /// <param name="row">So do other rows of one key.</param>
    /// <param name="bound">The bound.</param>
    /// <param name="values">Receives the numbers; fewer are the first of more.</param>
    public static void Fill(ulong key, int row, float bound, Span<float> values)
    {
        var start = StableHash.Combine(key, (ulong)row);
        for (var i = 0; i < values.Length; i++)
        {
            var unit = (StableHash.Combine(start, (ulong)i) >> (64 - Bits)) * (1f / (1 << Bits));
            values[i] = bound * (2f * unit - 1f);
        }
    }
}
