namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>What there is to do for a plan's pairs.</summary>
/// <param name="Tokens">T.</param>
/// <param name="Pairs">P.</param>
/// <param name="Experts">E.</param>
/// <param name="Width">D.</param>
/// <param name="HiddenWidth">F.</param>
/// <param name="Matrices">Matrices of an expert: 2, or 3 with a gate.</param>
/// <param name="NumberSize">Bytes of a number.</param>
internal sealed record ExpertWork(int Tokens, int Pairs, int Experts, int Width, int HiddenWidth, int Matrices, int NumberSize)
{
    /// <summary>Weights of one expert.</summary>
    public double Weights => (double)Matrices * Width * HiddenWidth;

    /// <summary>Numbers written and read again for a row: the input, what each product makes of it, and what is made of that.</summary>
    public double NumbersOfRow => 2 * (2.0 * Width + (double)Matrices * HiddenWidth);
}
