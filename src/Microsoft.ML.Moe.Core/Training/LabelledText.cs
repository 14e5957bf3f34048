using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Training;

/// <summary>A training row.</summary>
/// <param name="Text">The text, encoded by the trainer's input.</param>
/// <param name="Label">Class number within [0, C).</param>
/// <param name="Weight">Weight of the row in the loss, at least 0.</param>
public readonly record struct LabelledText(EncodedText Text, int Label, float Weight = 1f);
