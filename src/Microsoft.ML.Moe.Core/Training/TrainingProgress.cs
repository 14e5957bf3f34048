namespace Microsoft.ML.Moe.Training;

/// <summary>How far a training has come.</summary>
internal sealed record TrainingProgress
{
    /// <summary>Epoch under way, from 1; one more than there are when all are done.</summary>
    public int Epoch { get; init; } = 1;

    /// <summary>Steps taken in it.</summary>
    public int Step { get; set; }

    /// <summary>Sum of these steps' losses.</summary>
    public double LossSum { get; set; }

    /// <summary>Lowest validation loss of an epoch so far.</summary>
    public double BestLoss { get; init; } = double.PositiveInfinity;

    /// <summary>Epochs since then.</summary>
    public int EpochsSinceBest { get; init; }

    /// <summary>Whether it has gone without improvement for as long as it was allowed to.</summary>
    public bool HasConverged { get; init; }
}
