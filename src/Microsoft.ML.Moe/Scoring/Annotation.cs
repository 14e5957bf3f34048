namespace Microsoft.ML.Moe.Scoring;

/// <summary>Names and values of the annotations by which ML.NET's evaluators and transforms know a scored column.</summary>
internal static class Annotation
{
    public const string KeyValues = "KeyValues";
    public const string SlotNames = "SlotNames";
    public const string TrainingLabelValues = "TrainingLabelValues";
    public const string ScoreColumnSetId = "ScoreColumnSetId";
    public const string ScoreColumnKind = "ScoreColumnKind";
    public const string ScoreValueKind = "ScoreValueKind";

    public const string CategoricalSlotRanges = "CategoricalSlotRanges";
    public const string IsNormalized = "IsNormalized";

    public const string BinaryClassification = "BinaryClassification";
    public const string Regression = "Regression";
    public const string MulticlassClassification = "MulticlassClassification";
    public const string PredictedLabel = "PredictedLabel";
    public const string Score = "Score";
    public const string Probability = "Probability";
}
