namespace Microsoft.ML.Moe.Routing;

/// <summary>Who keeps an expert that more tokens want than it may take.</summary>
public enum CapacityPriority
{
    /// <summary>The earlier token (Switch Transformers).</summary>
    Position,

    /// <summary>The token with the larger router probability for the expert; among equals the earlier one.</summary>
    Score,
}
