namespace Microsoft.ML.Moe.Tensors;

// Images, whose pixels are tokens: row by row from the top, image after image.
public abstract partial class Tape
{
    /// <summary>
    /// A convolution of images: result(y, x) = bias + Σ over v, u within [0, k) of pixel(s·y + v − k/2, s·x + u − k/2)·weight(v, u), with
    /// the stride s, and zeros beyond the edge (LeCun et al. 1989).
    /// </summary>
    /// <param name="x">[B·height·width, C].</param>
    /// <param name="weight">[k·k·C, O]: row (v·k + u)·C + c for row v and column u of the window and channel c.</param>
    /// <param name="bias">[O] or null.</param>
    /// <param name="spec">Size of the images, window and stride.</param>
    /// <returns>[B·⌈height/s⌉·⌈width/s⌉, O].</returns>
    public Tensor Convolution(Tensor x, Tensor weight, Tensor? bias, ConvolutionSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        Begin();
        Use(x);
        Use(weight);
        UseIfGiven(bias);
        Check.Rank(x, 2);
        Check.Rank(weight, 2);
        if (x.Shape[0] % (spec.Height * spec.Width) != 0)
        {
            throw new ArgumentException(
                $"Convolution: x {Check.Text(x.Shape)} has rows of whole images of {spec.Height} × {spec.Width} pixels.", nameof(x));
        }

        Check.Shape(weight, [spec.Side * spec.Side * x.Columns, weight.Columns]);
        if (bias is not null)
            Check.Shape(bias, [weight.Columns]);
        return ConvolutionCore(x, weight, bias, spec);
    }

    /// <inheritdoc cref="Convolution"/>
    protected abstract Tensor ConvolutionCore(Tensor x, Tensor weight, Tensor? bias, ConvolutionSpec spec);
}
