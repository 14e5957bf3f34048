using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>Packs rows and runs a classifier's network on them, one batch after the other in the same memory. For one thread.</summary>
/// <typeparam name="TRow">A row as the network reads it.</typeparam>
internal interface IClassifierForward<TRow>
{
    /// <summary>Packs rows.</summary>
    /// <param name="rows">B rows.</param>
    /// <param name="random">Source of chance of the noise on the input while training; null for no noise.</param>
    void Pack(IReadOnlyList<TRow> rows, Random? random = null);

    /// <summary>Class scores of the rows that were packed last.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="observer">Is shown what the MoE layers route where; null for nobody.</param>
    /// <param name="policies">Takes the place of the layers' own policies; null leaves them.</param>
    ClassifierOutput Run(Tape tape, IRoutingObserver? observer = null, PolicySelector? policies = null);
}
