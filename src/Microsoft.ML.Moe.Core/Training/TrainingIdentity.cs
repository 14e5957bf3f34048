using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>Which training this is: made where a checkpoint or other ranks ask for it, since it reads all rows and weights.</summary>
/// <param name="engine">Where it computes.</param>
/// <param name="digest">Makes the digest of options, rows and first values.</param>
internal sealed class TrainingIdentity(Engine engine, Func<string> digest)
{
    private readonly Lazy<string> _digest = new(digest);

    /// <summary>The file that keeps the training's state; null where none is asked for.</summary>
    /// <param name="file">Its path; null for none.</param>
    public TrainingCheckpoint? Checkpoint(string? file) => file is null ? null : new TrainingCheckpoint(file, _digest.Value);

    /// <summary>What other ranks must have alike.</summary>
    /// <param name="progress">How far the training has come.</param>
    /// <param name="isFinished">Whether it had ended.</param>
    public RankStart Start(TrainingProgress progress, bool isFinished) =>
        new(_digest.Value, engine.VectorBits, progress.Epoch, progress.Step, isFinished);
}
