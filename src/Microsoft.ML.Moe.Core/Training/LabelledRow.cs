namespace Microsoft.ML.Moe.Training;

/// <summary>A training row.</summary>
/// <typeparam name="TRow">What is classified, as the model reads it.</typeparam>
/// <param name="Input">What is classified, encoded by the trainer's input.</param>
/// <param name="Label">Class number within [0, C).</param>
/// <param name="Weight">Weight of the row in the loss, at least 0.</param>
public readonly record struct LabelledRow<TRow>(TRow Input, int Label, float Weight = 1f);
