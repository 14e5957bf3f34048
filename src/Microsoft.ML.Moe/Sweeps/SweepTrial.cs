namespace Microsoft.ML.Moe;

/// <summary>How a trial of a sweep has ended.</summary>
public enum SweepVerdict
{
    /// <summary>It has not.</summary>
    Running,

    /// <summary>It was trained to the end.</summary>
    Completed,

    /// <summary>It was among the worse two thirds at a rung and stopped there.</summary>
    Stopped,

    /// <summary>The budget ended, or the sweep was stopped; its best epoch counts.</summary>
    OutOfTime,

    /// <summary>It ended with an error.</summary>
    Failed,
}

/// <summary>One training of a sweep.</summary>
/// <param name="Number">Its number, from 0, which is that of the defaults.</param>
/// <param name="Options">What the search space says of its options, by their names.</param>
public sealed record SweepTrial(int Number, IReadOnlyDictionary<string, string> Options)
{
    /// <summary>How it has ended.</summary>
    public SweepVerdict Verdict { get; init; }

    /// <summary>
    /// What trials are compared by, of its best epoch's model on the validation rows; smaller is better. null for a trial that is running, was
    /// stopped or has failed.
    /// </summary>
    public double? Loss { get; init; }

    /// <summary>Further metrics of the same model, by name, such as <c>Accuracy</c>.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>What each epoch has achieved; empty for a trainer that is not of this library.</summary>
    public IReadOnlyList<SweepEpoch> Epochs { get; init; } = [];

    /// <summary>How long it was trained; after an interruption, since it was taken up again.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>Bytes of the process in memory when it ended, those of other trials counted.</summary>
    public long ProcessMemory { get; init; }

    /// <summary>Why it has failed.</summary>
    public string? Error { get; init; }

    /// <summary>The smallest loss of its epochs; null where there are none.</summary>
    public double? BestEpochLoss => Epochs.Min(epoch => epoch.Loss);
}

/// <summary>What an epoch of a trial has achieved.</summary>
/// <param name="Epoch">Its number, from 1.</param>
/// <param name="Epochs">Epochs that are planned.</param>
/// <param name="TrainingLoss">Mean loss of its batches.</param>
/// <param name="Loss">
/// What trials are compared by at rungs, on the validation rows: of the network, without what is fitted beside it. null where it was not evaluated.
/// </param>
public sealed record SweepEpoch(int Epoch, int Epochs, double TrainingLoss, double? Loss);

/// <summary>The winner's training once more, with another seed.</summary>
/// <param name="Trial">Number of the winner.</param>
/// <param name="Seed">The seed.</param>
/// <param name="Loss">What trials are compared by.</param>
/// <param name="Difference">
/// Mean difference of its rows' losses to those of the defaults: the negative log-likelihood, squared or absolute error; below 0 it is better.
/// </param>
/// <param name="StandardError">Of the difference, over the validation rows.</param>
public sealed record SweepConfirmation(int Trial, int Seed, double Loss, double Difference, double StandardError);
