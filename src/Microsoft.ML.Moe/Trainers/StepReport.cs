namespace Microsoft.ML.Moe;

/// <summary>A step of a training.</summary>
/// <param name="Epoch">Number of the epoch, from 1.</param>
/// <param name="Step">Number of the step within the epoch, from 1.</param>
/// <param name="Steps">Steps in the epoch.</param>
/// <param name="Loss">Loss of the step's batch, in nats, or of numbers as the trainer computes it.</param>
/// <param name="TimeLeft">
/// How long training goes on if it takes all of its steps, by the time of the steps and evaluations so far; of a model that is the mean of
/// several networks, how long this one does.
/// </param>
public sealed record StepReport(int Epoch, int Step, int Steps, double Loss, TimeSpan TimeLeft);
