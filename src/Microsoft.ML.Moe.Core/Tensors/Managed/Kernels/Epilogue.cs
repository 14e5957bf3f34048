namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>What is done to a product c while it is in the cache: c += bias, y = activation(c). The default does nothing.</summary>
/// <param name="bias">One for each column; null for none.</param>
/// <param name="activation">Applied to the sum.</param>
/// <param name="y">Takes the activation, laid out like c; c itself where the sum is not needed.</param>
internal readonly unsafe struct Epilogue(float* bias, Activation activation, float* y)
{
    /// <summary>Finishes a block of c.</summary>
    /// <param name="kernels">Inner loops.</param>
    /// <param name="block">Rows and columns.</param>
    /// <param name="c">The product's first row and column.</param>
    /// <param name="stride">Distance of the rows of c and y.</param>
    public void Finish(Kernels kernels, GemmBlock block, float* c, nint stride)
    {
        if (y == null || (bias == null && activation == Activation.None && y == c))
            return;
        var start = block.FirstRow * stride + block.FirstColumn;
        var biasOfBlock = bias == null ? null : bias + block.FirstColumn;
        kernels.AddBiasAndActivate(activation, c + start, biasOfBlock, y + start, stride, block.Rows, block.Columns);
    }
}

/// <summary>A block of a matrix product's result.</summary>
internal readonly record struct GemmBlock(int FirstRow, int Rows, int FirstColumn, int Columns);
