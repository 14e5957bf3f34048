namespace Microsoft.ML.Moe.Experiments.Data;

/// <summary>A labelled text.</summary>
internal readonly record struct Sentence(string Label, string Text);
