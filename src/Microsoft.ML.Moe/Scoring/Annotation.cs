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

    public const string MulticlassClassification = "MulticlassClassification";
    public const string PredictedLabel = "PredictedLabel";
    public const string Score = "Score";
}
