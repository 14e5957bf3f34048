using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Onnx.Tracing;

/// <summary>
/// The rows that a model is traced with, and what takes their place when the graph runs. Their number is one that divides no other size of
/// the model, so that a size tells whether it grows with the rows. Where rows may be shorter than the longest that the model reads, the
/// traced ones are padded to that, and have different numbers of tokens: what would depend on them shows.
/// </summary>
internal sealed class TracedRows
{
    /// <summary>Number of traced rows, B.</summary>
    public required int Count { get; init; }

    /// <summary>Sequences that each row is read as, one after the other: 2 of texts whose both ends are read.</summary>
    public int Windows { get; init; } = 1;

    /// <summary>Number of traced sequences.</summary>
    public int Sequences => Windows * Count;

    /// <summary>The sequences' tokens: as many of each, padding among them.</summary>
    public required SequenceLayout Tokens { get; init; }

    /// <summary>The number of sequences when the graph runs, a vector of one.</summary>
    public required Value Runtime { get; init; }

    /// <summary>
    /// The number of tokens of each sequence when the graph runs, a vector of one; null where it is always that of the traced ones.
    /// </summary>
    public Value? Length { get; init; }

    /// <summary>[B, L]: whether a token is one, and not padding; null where there is no padding.</summary>
    public Value? IsToken { get; init; }

    /// <summary>Tokens of each traced sequence, L.</summary>
    public int TracedLength => Tokens.Tokens / Sequences;

    /// <summary>The smallest prime from 11 on that divides none of some sizes.</summary>
    public static int CountFor(IEnumerable<int> sizes)
    {
        int[] others = [.. sizes.Distinct()];
        for (var count = 11; ; count += 2)
        {
            if (IsPrime(count) && !others.Any(size => size > 0 && size % count == 0))
                return count;
        }
    }

    private static bool IsPrime(int number)
    {
        for (var divisor = 3; divisor * divisor <= number; divisor += 2)
        {
            if (number % divisor == 0)
                return false;
        }

        return true;
    }
}
