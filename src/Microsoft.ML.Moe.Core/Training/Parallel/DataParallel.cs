using System.Numerics;
using System.Text.Json.Serialization;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Processes that train one model together, and how they share a batch. It is cut into shards, of which each rank computes as many; their gradients
/// are added in a binary tree that is the same whatever the number of ranks, so that one process, two or eight train one model to the last bit.
/// Each rank runs the same program with the same options and rows, which it reads itself. A stop that one of them is asked for while steps are
/// taken is one of all.
/// </summary>
public sealed class DataParallel
{
    private const int MaximumShards = 1024;

    /// <summary>Checks that the ranks can share a batch.</summary>
    /// <param name="communicator">The ranks; their number is a power of 2.</param>
    /// <param name="shards">
    /// Parts of a batch: the model depends on them, and not on the number of ranks. A power of 2 within [1, 1024], and no less than there are ranks.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="shards"/> lies outside its range.</exception>
    /// <exception cref="ArgumentException">Ranks or shards are no power of 2, or there are more ranks than shards.</exception>
    public DataParallel(ICommunicator communicator, int shards = 8)
    {
        ArgumentNullException.ThrowIfNull(communicator);
        ArgumentOutOfRangeException.ThrowIfLessThan(shards, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(shards, MaximumShards);
        if (!BitOperations.IsPow2(shards))
            throw new ArgumentException($"{shards} shards are no power of 2.", nameof(shards));
        if (!BitOperations.IsPow2(communicator.Size) || communicator.Size > shards)
        {
            throw new ArgumentException(
                $"{communicator.Size} ranks cannot share {shards} shards: start a power of 2 of them, at most as many as shards.", nameof(communicator));
        }

        (Communicator, Shards) = (communicator, shards);
    }

    /// <summary>The ranks.</summary>
    [JsonIgnore]
    public ICommunicator Communicator { get; }

    /// <summary>Parts of a batch.</summary>
    public int Shards { get; }

    /// <summary>Parts of a batch that this process computes.</summary>
    [JsonIgnore]
    internal int OwnShards => Shards / Communicator.Size;

    /// <summary>Whether this process writes what all ranks have alike.</summary>
    [JsonIgnore]
    internal bool IsFirst => Communicator.Rank == 0;

    /// <summary>Whether the ranks have agreed to stop: no further training of the same fit begins.</summary>
    [JsonIgnore]
    internal bool HasStopped { get; set; }
}
