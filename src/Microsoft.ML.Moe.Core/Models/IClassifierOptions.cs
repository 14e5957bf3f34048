using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Models;

/// <summary>What the options of all classifiers have in common.</summary>
public interface IClassifierOptions
{
    /// <summary>Most classes that a classifier can have.</summary>
    const int MaximumClasses = 100_000;

    /// <summary>Share of the target's probability that is spread evenly over the classes, within [0, 1). Default 0.1.</summary>
    float LabelSmoothing { get; }

    /// <summary>How rows are weighted by class. Default <see cref="ClassWeighting.None"/>.</summary>
    ClassWeighting ClassWeighting { get; }

    /// <summary>
    /// GW-MoE fine-tuning (arXiv 2406.12375): tokens whose router is uncertain are sent to all experts while training, so that
    /// whichever expert such a token meets later knows it; predictions afterwards cost what they always cost. null trains with the
    /// router alone. Default null.
    /// </summary>
    GlobalWorkspaceSettings? GlobalWorkspace { get; }
}
