namespace Microsoft.ML.Moe.Experiments.Data;

/// <summary>A labelled text or pair of texts.</summary>
internal readonly record struct LabelledText(string Label, string First, string? Second = null);

/// <summary>A set made to try defaults on: a kind of data that users have, made from what the data folder holds.</summary>
internal sealed record TextSet(string Name, IReadOnlyList<LabelledText> Train, IReadOnlyList<LabelledText> Test);
