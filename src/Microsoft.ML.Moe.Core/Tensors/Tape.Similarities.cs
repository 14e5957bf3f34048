namespace Microsoft.ML.Moe.Tensors;

// Rows compared with each other.
public abstract partial class Tape
{
    /// <summary>Rows at unit length: x/max(|x|, 1e-12) over the last dimension; rows of zeros stay zeros.</summary>
    /// <param name="x">[…, D].</param>
    public Tensor Normalize(Tensor x)
    {
        Begin();
        Use(x);
        Check.AtLeastRank(x, 1);
        return NormalizeCore(x);
    }

    /// <summary>
    /// The inner products of all rows of x with all rows of y, x·yᵀ, in single precision whatever precision the engine takes for other
    /// products: the losses that compare rows divide them by small temperatures.
    /// </summary>
    /// <param name="xAD">[A, D], D at least 1.</param>
    /// <param name="yBD">[B, D]; may be x itself.</param>
    /// <returns>[A, B].</returns>
    public Tensor MultiplyTransposed(Tensor xAD, Tensor yBD)
    {
        Begin();
        Use(xAD);
        Use(yBD);
        Check.Rank(xAD, 2);
        Check.Rank(yBD, 2);
        if (xAD.Columns != yBD.Columns || xAD.Columns == 0)
        {
            throw new ArgumentException(
                $"MultiplyTransposed: xAD {Check.Text(xAD.Shape)} does not fit yBD {Check.Text(yBD.Shape)}.", nameof(yBD));
        }

        return MultiplyTransposedCore(xAD, yBD);
    }

    /// <inheritdoc cref="Normalize"/>
    protected abstract Tensor NormalizeCore(Tensor x);

    /// <inheritdoc cref="MultiplyTransposed"/>
    protected abstract Tensor MultiplyTransposedCore(Tensor xAD, Tensor yBD);
}
