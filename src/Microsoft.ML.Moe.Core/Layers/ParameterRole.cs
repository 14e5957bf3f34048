namespace Microsoft.ML.Moe.Layers;

/// <summary>What a parameter does, which decides its learning rate and weight decay.</summary>
internal enum ParameterRole
{
    /// <summary>A matrix of the network; decays.</summary>
    Weight,

    /// <summary>The matrix of a router, which can be frozen; decays.</summary>
    Router,

    /// <summary>A bias, gain or position; does not decay.</summary>
    Bias,

    /// <summary>Experts' bias for the choice alone, which has no gradient: in no group of an optimiser.</summary>
    ChoiceBias,

    /// <summary>What a norm has seen of batches, which has no gradient: in no group of an optimiser.</summary>
    Statistic,

    /// <summary>A table of token vectors, learned row by row.</summary>
    Embedding,

    /// <summary>One of the two narrow matrices of a low-rank adapter; decays.</summary>
    Adapter,
}

/// <summary>What roles have in common.</summary>
internal static class ParameterRoles
{
    /// <summary>Whether a parameter is a matrix of the network's own, which may be kept in fewer bits.</summary>
    public static bool IsMatrix(this ParameterRole role) => role is ParameterRole.Weight or ParameterRole.Router or ParameterRole.Embedding;
}
