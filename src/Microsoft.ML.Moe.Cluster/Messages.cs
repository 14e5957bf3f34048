using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.ML.Moe.Sweeps.Journal;

namespace Microsoft.ML.Moe.Cluster;

/// <summary>What is logged.</summary>
internal static partial class Messages
{
    [LoggerMessage(1, LogLevel.Information, "{Name} is coordinated here, after {Trials} parts.")]
    public static partial void Coordinates(ILogger logger, string name, int trials);

    [LoggerMessage(2, LogLevel.Error, "{Name} cannot go on: {Reason}")]
    public static partial void Failed(ILogger logger, string name, string reason);

    [LoggerMessage(3, LogLevel.Error, "Worker {Worker} takes no part in {Name}: {Reason}.")]
    public static partial void Refused(ILogger logger, string worker, string name, string reason);

    [LoggerMessage(4, LogLevel.Information, "Here is worked on {Part} of {Name}, lease {Lease}.")]
    public static partial void Works(ILogger logger, string part, string name, long lease);

    [LoggerMessage(5, LogLevel.Warning, "Worker {Worker} was not heard of: {Part} of {Name} is given to another.")]
    public static partial void Expired(ILogger logger, string worker, string part, string name);

    /// <summary>What a lease is of, in words.</summary>
    public static string PartOf(int part) => part switch
    {
        LeaseLine.Confirmation => "the winner with another seed",
        LeaseLine.Finishing => "the end",
        _ => string.Create(CultureInfo.InvariantCulture, $"part {part}"),
    };

    [LoggerMessage(6, LogLevel.Debug, "The coordinator of {Name} did not answer, and is asked again.")]
    public static partial void Unanswered(ILogger logger, string name, Exception cause);

    [LoggerMessage(7, LogLevel.Warning, "{Message}")]
    public static partial void MlNetWarning(ILogger logger, string message);

    [LoggerMessage(8, LogLevel.Debug, "{Message}")]
    public static partial void MlNetMessage(ILogger logger, string message);
}
