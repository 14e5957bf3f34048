namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>How the experts' products are run; all ways give the same.</summary>
internal enum ExpertWay
{
    /// <summary>One product an expert (<see cref="ExpertByExpert"/>).</summary>
    OneByOne,

    /// <summary>One batched product, every expert filled to the rows of the busiest (<see cref="PaddedExperts"/>).</summary>
    PaddedToBusiest,

    /// <summary>One batched product, every expert with a row for every token (<see cref="PaddedExperts"/>).</summary>
    PaddedToTokens,

    /// <summary>One batched product of every pair with weights of its own (<see cref="GatheredExperts"/>).</summary>
    Gathered,

    /// <summary>libtorch's grouped product (<see cref="GroupedExperts"/>).</summary>
    Grouped,
}
