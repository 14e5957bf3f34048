using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>A router that a model was trained with, or one that takes its place without training.</summary>
/// <param name="Trained">The router of the training.</param>
/// <param name="Instead">The router in its place; null for none.</param>
/// <param name="Normalize">Whether the router in its place divides weights by their sum.</param>
internal sealed record RouterVariant(RouterArm Trained, RouterArm? Instead = null, bool Normalize = false)
{
    /// <summary>Name in tables.</summary>
    public string Name => Instead is null ? $"{Trained}, from scratch" : $"{Substitute}, training-free";

    private string Substitute => Normalize ? $"{Instead}, normalised" : $"{Instead}";

    /// <summary>Name of a measured value in the log.</summary>
    public string ValueName(string value) => Instead is null ? value : $"{Substitute}: {value}";

    /// <summary>The router to measure; the classifier's own unless one takes its place.</summary>
    public Router RouterFor(Router own) => Instead is null ? own : Instead.Router with { Normalization = Normalize ? WeightNormalization.All : WeightNormalization.None };
}
