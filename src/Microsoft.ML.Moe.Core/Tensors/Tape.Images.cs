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
        UseImages(x, spec, nameof(Convolution));
        Use(weight);
        UseIfGiven(bias);
        Check.Rank(weight, 2);
        Check.Shape(weight, [spec.Side * spec.Side * x.Columns, weight.Columns]);
        if (bias is not null)
            Check.Shape(bias, [weight.Columns]);
        return ConvolutionCore(x, weight, bias, spec);
    }

    /// <summary>
    /// The largest value of each channel over the pixels of each window: result(y, x) = max over v, u within [0, k) of pixel(s·y + v − k/2,
    /// s·x + u − k/2), with the stride s; beyond the edge there is nothing. The first pixel that has it gets the gradient.
    /// </summary>
    /// <param name="x">[B·height·width, C].</param>
    /// <param name="spec">Size of the images, window and stride.</param>
    /// <returns>[B·⌈height/s⌉·⌈width/s⌉, C].</returns>
    public Tensor MaxPool(Tensor x, ConvolutionSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        Begin();
        UseImages(x, spec, nameof(MaxPool));
        return MaxPoolCore(x, spec);
    }

    /// <summary>
    /// Batch normalisation, gain·(x − mean)/√(variance + ε) + bias of each column (Ioffe and Szegedy 2015). When training, mean and (biased)
    /// variance are those of the rows, and the given ones move towards them; otherwise, and for a single row, they are those given.
    /// </summary>
    /// <param name="x">[R, C].</param>
    /// <param name="gain">[C].</param>
    /// <param name="bias">[C].</param>
    /// <param name="mean">[C], gets no gradient; when training it becomes mean + momentum·(mean of the rows − mean).</param>
    /// <param name="variance">[C], likewise, with the unbiased variance of the rows.</param>
    /// <param name="momentum">How far the statistics move, within [0, 1].</param>
    /// <param name="epsilon">Added to the variance.</param>
    public Tensor BatchNorm(
        Tensor x, Tensor gain, Tensor bias, Tensor mean, Tensor variance, float momentum = 0.1f, float epsilon = 1e-5f)
    {
        Begin();
        Use(x);
        Check.Rank(x, 2);
        foreach (var ofColumns in (ReadOnlySpan<Tensor>)[gain, bias, mean, variance])
        {
            Use(ofColumns);
            Check.Shape(ofColumns, [x.Columns]);
        }

        ArgumentOutOfRangeException.ThrowIfNegative(momentum);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(momentum, 1f);
        return BatchNormCore(x, gain, bias, mean, variance, momentum, epsilon, IsTraining && !KeepsStatistics && x.Shape[0] > 1);
    }

    /// <inheritdoc cref="BatchNorm"/>
    /// <param name="x">[R, C].</param>
    /// <param name="gain">[C].</param>
    /// <param name="bias">[C].</param>
    /// <param name="mean">[C].</param>
    /// <param name="variance">[C].</param>
    /// <param name="momentum">Within [0, 1].</param>
    /// <param name="epsilon">Added to the variance.</param>
    /// <param name="ofBatch">Whether the rows' own statistics are taken, and the given ones follow them.</param>
    protected abstract Tensor BatchNormCore(
        Tensor x, Tensor gain, Tensor bias, Tensor mean, Tensor variance, float momentum, float epsilon, bool ofBatch);

    /// <inheritdoc cref="Convolution"/>
    protected abstract Tensor ConvolutionCore(Tensor x, Tensor weight, Tensor? bias, ConvolutionSpec spec);

    /// <inheritdoc cref="MaxPool(Tensor, ConvolutionSpec)"/>
    protected abstract Tensor MaxPoolCore(Tensor x, ConvolutionSpec spec);

    private void UseImages(Tensor x, ConvolutionSpec spec, string operation)
    {
        Use(x);
        Check.Rank(x, 2);
        if (x.Shape[0] % (spec.Height * spec.Width) != 0)
        {
            throw new ArgumentException(
                $"{operation}: x {Check.Text(x.Shape)} has rows of whole images of {spec.Height} × {spec.Width} pixels.", nameof(x));
        }
    }
}
