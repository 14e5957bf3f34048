namespace Microsoft.ML.Moe.Training;

/// <summary>Another rank has failed, and this one cannot go on without it.</summary>
/// <param name="rank">The other rank.</param>
internal sealed class RankFailedException(int rank) : InvalidOperationException(
    $"Rank {rank} has failed in its training, and the others end with it: what happened stands in its own output. Start the ranks again when that is "
    + "mended; with a checkpoint they go on from there.")
{
    /// <summary>The rank that failed first.</summary>
    public int Rank => rank;
}
