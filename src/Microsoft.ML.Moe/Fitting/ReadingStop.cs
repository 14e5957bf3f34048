using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Fitting;

/// <summary>Ends the reading of a table when asked to.</summary>
/// <param name="host">Can cancel; null where there is none.</param>
/// <param name="stop">Stops reading.</param>
internal sealed class ReadingStop(IHostEnvironment? host, CancellationToken stop)
{
    /// <summary>Asks, at every row, whether to go on.</summary>
    /// <exception cref="OperationCanceledException">Reading was stopped or cancelled.</exception>
    public void Check()
    {
        if (host is not null)
            Environments.ThrowIfCanceled(host);
        stop.ThrowIfCancellationRequested();
    }
}
