namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Some of an expert's rows: an item of work.</summary>
/// <param name="Expert">Number of the expert.</param>
/// <param name="First">First row.</param>
/// <param name="Rows">Number of rows.</param>
internal readonly record struct ExpertRun(int Expert, int First, int Rows)
{
    /// <summary>Integers that a run takes in memory.</summary>
    public const int Integers = 3;
}
