using System.Globalization;
using System.Text.Json;
using Microsoft.ML.Moe.Evaluation;

namespace Microsoft.ML.Moe.Tests.Evaluation;

/// <summary>The scores of GLUE's tasks are those of scikit-learn and SciPy.</summary>
[Trait("Category", "Goldens")]
public class GoldenGlueTests
{
    private const double Tolerance = 1e-9;

    public static TheoryData<string, string, string> Classes { get; } = GoldenMetrics.Cases(f => true, "binary", "multiclass");

    public static TheoryData<string, string, string> Series { get; } = GoldenMetrics.Cases(f => true, "regression");

    public static TheoryData<string, string, string> Texts { get; } =
        GoldenMetrics.Cases(f => f.TryGetProperty("stsb_text", out _), "stsb_text");

    [SkippableTheory]
    [MemberData(nameof(Classes))]
    public void ClassificationsScoreTheSame(string path, string section, string name)
    {
        var item = GoldenMetrics.ReadOrSkip(path).Case(section, name);
        var (labels, predictions) = (GoldenMetrics.List<int>(item, "labels"), GoldenMetrics.List<int>(item, "predictions"));
        var classes = item.TryGetProperty("classes", out var count) ? count.GetInt32() : 2;
        var actual = new ConfusionCounts(labels, predictions, classes);

        GoldenMetrics.Check(
            item,
            score => score switch
            {
                "classes" => null,
                "accuracy" => actual.Accuracy,
                "f1" => actual.F1(1),
                "precision" => actual.Precision(1),
                "recall" => actual.Recall(1),
                "matthews" => actual.Matthews,
                "macro_f1" => actual.MacroF1,
                "micro_f1" => actual.MicroF1,
                "weighted_f1" => actual.WeightedF1,
                "balanced_accuracy" => actual.BalancedAccuracy,
                "kappa" => actual.Kappa,
                _ => throw new InvalidDataException($"There is no score '{score}'."),
            },
            Tolerance);
        if (item.TryGetProperty("per_class_f1", out _))
            GoldenMetrics.Close(
                GoldenMetrics.List<double>(item, "per_class_f1"),
                [.. Enumerable.Range(0, classes).Select(actual.F1)],
                Tolerance,
                "per_class_f1");
        if (item.TryGetProperty("confusion", out _))
            Assert.Equal(
                GoldenMetrics.List<int[]>(item, "confusion"),
                Enumerable.Range(0, classes).Select(c => Enumerable.Range(0, classes).Select(p => actual[c, p]).ToArray()));
    }

    [SkippableTheory]
    [MemberData(nameof(Series))]
    public void CorrelationsAreTheSame(string path, string section, string name)
    {
        var item = GoldenMetrics.ReadOrSkip(path).Case(section, name);
        var (x, y) = (GoldenMetrics.List<double>(item, "x"), GoldenMetrics.List<double>(item, "y"));

        GoldenMetrics.Check(
            item,
            score => score switch
            {
                "pearson" => Correlation.Pearson(x, y),
                "spearman" => Correlation.Spearman(x, y),
                "kendall_tau_b" => Correlation.KendallTauB(x, y),
                "mse" => Correlation.MeanSquaredError(x, y),
                _ => throw new InvalidDataException($"There is no score '{score}'."),
            },
            Tolerance);
    }

    [SkippableTheory]
    [MemberData(nameof(Texts))]
    public void SimilarityTextsAreReadAndWrittenTheSame(string path, string section, string name)
    {
        var items = GoldenMetrics.ReadOrSkip(path).Case(section, name);
        if (items.ValueKind != JsonValueKind.Array)
            return;
        foreach (var item in items.EnumerateArray())
        {
            if (item.TryGetProperty("target", out var target))
                Assert.Equal(target.GetString(), SimilarityText.Write(item.GetProperty("label").GetDouble()));
            else
                Assert.Equal(Number(item.GetProperty("value")), SimilarityText.Read(item.GetProperty("text").GetString()!));
        }
    }

    private static double Number(JsonElement value) => $"{value}" switch
    {
        "nan" => double.NaN,
        "inf" => double.PositiveInfinity,
        "-inf" => double.NegativeInfinity,
        var text => double.Parse(text, CultureInfo.InvariantCulture),
    };
}
