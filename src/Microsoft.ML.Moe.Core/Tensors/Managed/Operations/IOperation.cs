namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// An operation that has run on a tape for training: a struct of what its backward pass needs. The tape's storage keeps those of one
/// type side by side and takes the next tape's into the same memory.
/// </summary>
internal interface IOperation
{
    /// <summary>Adds to the gradients of the inputs what the result's gradient means for them.</summary>
    /// <param name="tape">The tape that the operation ran on.</param>
    void Backward(ManagedTape tape);
}
