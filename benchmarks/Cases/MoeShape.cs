using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>Sizes of a MoE layer.</summary>
/// <param name="Tokens">T.</param>
/// <param name="Width">D.</param>
/// <param name="HiddenWidth">F.</param>
/// <param name="Experts">E.</param>
/// <param name="ExpertsPerToken">k.</param>
internal readonly record struct MoeShape(int Tokens, int Width, int HiddenWidth, int Experts, int ExpertsPerToken)
{
    /// <summary>Tokens of each of <see cref="Sequences"/>.</summary>
    public const int SequenceLength = 64;

    /// <summary>C1's: 8 experts, 2 for each token.</summary>
    public static MoeShape FewExperts { get; } = new(2048, 512, 2048, 8, 2);

    /// <summary>C2's: 64 experts, 8 for each token.</summary>
    public static MoeShape ManyExperts { get; } = new(2048, 512, 256, 64, 8);

    /// <summary>Sequences of 64 tokens.</summary>
    public SequenceLayout Sequences => LayoutOf(SequenceLength);

    /// <summary>All tokens as one sequence, which makes all of them compete.</summary>
    public SequenceLayout OneSequence => LayoutOf(Tokens);

    /// <summary>The same layer at a fraction of both widths.</summary>
    public MoeShape Narrower(int divisor) => this with { Width = Width / divisor, HiddenWidth = HiddenWidth / divisor };

    /// <summary>Least work for that many token–expert pairs.</summary>
    public Work WorkOf(long pairs) => new(
        4.0 * pairs * Width * HiddenWidth + 2.0 * Tokens * Width * Experts,
        4.0 * (2L * Experts * Width * HiddenWidth + 2L * Tokens * Width));

    /// <inheritdoc/>
    public override string ToString() => $"T{Tokens} D{Width} F{HiddenWidth} E{Experts} k{ExpertsPerToken}";

    private SequenceLayout LayoutOf(int length)
    {
        var tokens = Tokens;
        return new SequenceLayout([.. Enumerable.Range(0, tokens / length + 1).Select(i => i * length)]);
    }
}
