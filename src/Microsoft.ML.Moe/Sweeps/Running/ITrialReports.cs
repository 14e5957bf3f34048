using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Sweeps.Journal;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>What a worker is to train.</summary>
/// <param name="Trial">Number of the trial.</param>
/// <param name="Epochs">The epochs that are written down, after which it is taken up; none where it begins.</param>
/// <param name="CheckpointFile">Where its state is kept; null for nowhere.</param>
internal sealed record TrialLease(int Trial, IReadOnlyList<SweepEpoch> Epochs, string? CheckpointFile)
{
    private static readonly JsonSerializerOptions Json = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    /// <summary>The same as JSON, for a worker in another process.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, Json);

    /// <summary>Reads JSON.</summary>
    /// <exception cref="JsonException">It is none of a lease.</exception>
    public static TrialLease Parse(ReadOnlySpan<byte> json) =>
        JsonSerializer.Deserialize<TrialLease>(json, Json) ?? throw new JsonException("null");
}

/// <summary>Whom a worker tells how a trial goes: the queue beside it, or one on another machine.</summary>
internal interface ITrialReports
{
    /// <summary>Ends the training; its best epoch counts.</summary>
    CancellationToken Stop { get; }

    /// <summary>Whether nothing that happens still counts, failures neither.</summary>
    bool IsCanceled { get; }

    /// <summary>Throws where the training is to be given up.</summary>
    /// <exception cref="OperationCanceledException">It is.</exception>
    void CheckGoesOn();

    /// <summary>The trial begins, or begins anew.</summary>
    void Begin();

    /// <summary>An epoch has ended.</summary>
    /// <returns>Whether the trial goes on. At a rung it waits for others.</returns>
    bool Report(EpochLine epoch);

    /// <summary>Whether the trial goes on after the epochs that are written down.</summary>
    bool GoesOn();
}

/// <summary>What ends a worker, and not the trial alone.</summary>
internal abstract class QueueException(string message, Exception? cause) : IOException(message, cause);
