namespace Microsoft.ML.Moe.TextPretraining;

/// <summary>Names of the columns that a pretrained encoder reads and writes.</summary>
/// <param name="Input">The text.</param>
/// <param name="Output">Receives the text's vector.</param>
internal sealed record TextEncoderColumns(string Input, string Output);
