namespace Microsoft.ML.Moe.Routing;

/// <summary>Which tokens are treated apart.</summary>
public enum GlobalWorkspaceTokens
{
    /// <summary>Those whose router entropy reaches the threshold.</summary>
    Uncertain,

    /// <summary>As many of each sequence, drawn at random: the control arm, which tells whether uncertainty matters at all.</summary>
    Random,
}
