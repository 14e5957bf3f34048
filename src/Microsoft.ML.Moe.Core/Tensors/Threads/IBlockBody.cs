namespace Microsoft.ML.Moe.Tensors;

/// <summary>What a loop does with each block of a length; a struct, like <see cref="ILoopBody"/>.</summary>
internal interface IBlockBody
{
    /// <summary>Runs a block.</summary>
    /// <param name="start">First element.</param>
    /// <param name="count">Number of elements.</param>
    void Run(int start, int count);
}
