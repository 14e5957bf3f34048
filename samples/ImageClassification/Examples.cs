namespace ImageClassification;

/// <summary>The images of a run.</summary>
/// <param name="Train">To learn from.</param>
/// <param name="Test">To evaluate on.</param>
internal sealed record Examples<TExample>(IReadOnlyCollection<TExample> Train, IReadOnlyCollection<TExample> Test)
    where TExample : Example;
