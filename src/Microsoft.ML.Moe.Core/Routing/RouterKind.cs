namespace Microsoft.ML.Moe.Routing;

/// <summary>How tokens and experts find each other.</summary>
public enum RouterKind
{
    /// <summary>Each token takes its best experts: <see cref="Routing.TokenChoice"/>.</summary>
    TokenChoice,

    /// <summary>Each expert takes its best tokens: <see cref="Routing.ExpertChoice"/>.</summary>
    ExpertChoice,

    /// <summary>The best pairs of all, by one score: <see cref="Routing.Unified"/> (USMoE).</summary>
    Unified,
}
