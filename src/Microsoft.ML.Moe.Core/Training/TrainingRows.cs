namespace Microsoft.ML.Moe.Training;

/// <summary>The rows of a training.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
/// <param name="Training">Rows that the network learns from.</param>
/// <param name="Validation">Rows that nothing learns from before the end, and that choose its best epoch; empty for the last.</param>
/// <param name="IsDrawn">Whether the validation rows were drawn from the training rows, and may be learned from in the end.</param>
internal sealed record TrainingRows<TRow>(
    IReadOnlyList<Example<TRow>> Training, IReadOnlyList<Example<TRow>> Validation, bool IsDrawn);
