namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>What a loop over an <see cref="ExpertBatch"/> does with each run of rows; a struct, like <see cref="ILoopBody"/>.</summary>
internal interface IExpertBody
{
    /// <summary>Runs an item.</summary>
    /// <param name="run">The rows.</param>
    /// <param name="worker">Number of the thread that runs it.</param>
    void Run(ExpertRun run, int worker);
}
