namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>What is done to a product while it is in the cache: c += bias, y = activation(c).</summary>
/// <param name="Bias">One for each column; null for none.</param>
/// <param name="Activation">Applied to the sum.</param>
/// <param name="Y">Takes the activation, laid out like c; c itself where the sum is not needed.</param>
internal readonly unsafe record struct Epilogue(nint Bias, Activation Activation, nint Y)
{
    /// <summary>Nothing is done.</summary>
    public static Epilogue None => default;

    /// <summary>Bias and activation of a product.</summary>
    public static Epilogue Of(float* bias, Activation activation, float* y) => new((nint)bias, activation, (nint)y);

    /// <summary>Finishes a block of c.</summary>
    /// <param name="kernels">Inner loops.</param>
    /// <param name="block">Rows and columns.</param>
    /// <param name="c">The product's first row and column.</param>
    /// <param name="stride">Distance of the rows of c and y.</param>
    public void Finish(Kernels kernels, GemmBlock block, float* c, nint stride)
    {
        if (Bias == 0 && (Y == 0 || (Activation == Activation.None && Y == (nint)c)))
            return;
        var start = block.FirstRow * stride + block.FirstColumn;
        var bias = Bias == 0 ? null : (float*)Bias + block.FirstColumn;
        var y = Y == 0 ? c : (float*)Y;
        kernels.AddBiasAndActivate(Activation, c + start, bias, y + start, stride, block.Rows, block.Columns);
    }
}
