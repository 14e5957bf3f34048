namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// What a loop does with each item: a struct of the numbers and pointers that it needs. A lambda would leave them to the garbage
/// collector, in every loop of every step.
/// </summary>
internal interface ILoopBody
{
    /// <summary>Runs an item.</summary>
    /// <param name="item">Number of the item.</param>
    /// <param name="worker">Number of the thread that runs it; never twice at once.</param>
    void Run(int item, int worker);
}
