using Microsoft.Extensions.Logging;

namespace Microsoft.ML.Moe.Cluster;

/// <summary>What is logged.</summary>
internal static partial class Messages
{
    [LoggerMessage(1, LogLevel.Information, "Sweep {Name} is coordinated here, after {Trials} trials.")]
    public static partial void Coordinates(ILogger logger, string name, int trials);

    [LoggerMessage(2, LogLevel.Error, "Sweep {Name} cannot go on: {Reason}")]
    public static partial void Failed(ILogger logger, string name, string reason);

    [LoggerMessage(3, LogLevel.Error, "Worker {Worker} takes no part in sweep {Name}: {Reason}.")]
    public static partial void Refused(ILogger logger, string worker, string name, string reason);

    [LoggerMessage(4, LogLevel.Information, "Worker {Worker} has trial {Trial} of sweep {Name}, lease {Lease}.")]
    public static partial void Granted(ILogger logger, string worker, int trial, string name, long lease);

    [LoggerMessage(5, LogLevel.Warning, "Worker {Worker} was not heard of: trial {Trial} of sweep {Name} is given to another.")]
    public static partial void Expired(ILogger logger, string worker, int trial, string name);

    [LoggerMessage(6, LogLevel.Debug, "The coordinator of sweep {Name} did not answer, and is asked again.")]
    public static partial void Unanswered(ILogger logger, string name, Exception cause);

    [LoggerMessage(7, LogLevel.Warning, "{Message}")]
    public static partial void MlNetWarning(ILogger logger, string message);

    [LoggerMessage(8, LogLevel.Debug, "{Message}")]
    public static partial void MlNetMessage(ILogger logger, string message);
}
