using System.Globalization;
using System.Text.Json;
using Microsoft.ML.Moe.Evaluation;

namespace Microsoft.ML.Moe.Tests.Evaluation;

/// <summary>Evaluations of text give what the published programs give, times 100.</summary>
[Trait("Category", "Goldens")]
public class GoldenTextEvaluationTests
{
    private const double Tolerance = 1e-9;
    private static readonly MLContext Ml = new(seed: 1);

    public static TheoryData<string, string, string> AnswerFiles { get; } =
        GoldenMetrics.Cases(f => f.TryGetProperty("items", out _), "aggregate");

    public static TheoryData<string, string, string> Summaries { get; } =
        GoldenMetrics.Cases(f => f.TryGetProperty("pairs", out _), "pairs", "multi");

    public static TheoryData<string, string, string> Classes { get; } = GoldenMetrics.Cases(f => true, "binary", "multiclass");

    public static TheoryData<string, string, string> Series { get; } = GoldenMetrics.Cases(f => true, "regression");

    [SkippableTheory]
    [MemberData(nameof(AnswerFiles))]
    public void Squad(string path, string section, string name)
    {
        var file = GoldenMetrics.ReadOrSkip(path);
        var metrics = TextEvaluation.Squad(Table(file.Root.GetProperty("items").EnumerateArray()
            .Select(i => (i.GetProperty("prediction").GetString()!, GoldenMetrics.List<string>(i, "answers")))));

        GoldenMetrics.Close(
            file.Case(section, name).GetDouble(), name == "exact_match" ? metrics.ExactMatch : metrics.F1, Tolerance, name);
    }

    [SkippableTheory]
    [MemberData(nameof(Summaries))]
    public void Rouge(string path, string section, string name)
    {
        var item = GoldenMetrics.ReadOrSkip(path).Case(section, name);
        var references = item.TryGetProperty("references", out _)
            ? GoldenMetrics.List<string>(item, "references")
            : [item.GetProperty("reference").GetString()!];
        var table = Table([(item.GetProperty("prediction").GetString()!, references)]);

        foreach (var (form, useStemmer) in new[] { ("plain", false), ("stemmed", true), ("scores", false) })
            if (item.TryGetProperty(form, out var expected))
                Check(expected, TextEvaluation.Rouge(table, useStemmer: useStemmer));
    }

    [SkippableTheory]
    [MemberData(nameof(Classes))]
    public void Glue(string path, string section, string name)
    {
        var item = GoldenMetrics.ReadOrSkip(path).Case(section, name);
        var (labels, predictions) = (GoldenMetrics.List<int>(item, "labels"), GoldenMetrics.List<int>(item, "predictions"));
        var classes = labels.Concat(predictions).Max() + 1;
        Skip.If(classes > 3, "No task of GLUE has so many labels.");
        var table = Ml.Data.LoadFromEnumerable(labels.Zip(
            predictions, (label, prediction) => new Numbered { Prediction = $"{prediction}", Label = label }));

        Check("accuracy", TextEvaluation.Glue(table, classes == 3 ? GlueTask.Mnli : GlueTask.Mrpc).Accuracy);
        if (classes == 3)
            return;
        Check("f1", TextEvaluation.Glue(table, GlueTask.Qqp).F1);
        Check("matthews", TextEvaluation.Glue(table, GlueTask.Cola).Matthews);

        void Check(string score, double? actual) =>
            GoldenMetrics.Close(100 * item.GetProperty(score).GetDouble(), actual!.Value, Tolerance, score);
    }

    [SkippableTheory]
    [MemberData(nameof(Series))]
    public void Correlations(string path, string section, string name)
    {
        var item = GoldenMetrics.ReadOrSkip(path).Case(section, name);
        var metrics = TextEvaluation.Glue(
            Ml.Data.LoadFromEnumerable(GoldenMetrics.List<double>(item, "x").Zip(
                GoldenMetrics.List<double>(item, "y"),
                (x, y) => new Numbered { Prediction = x.ToString("R", CultureInfo.InvariantCulture), Label = y })),
            GlueTask.Stsb);

        GoldenMetrics.Close(100 * item.GetProperty("pearson").GetDouble(), metrics.Pearson!.Value, Tolerance, "pearson");
        GoldenMetrics.Close(100 * item.GetProperty("spearman").GetDouble(), metrics.Spearman!.Value, Tolerance, "spearman");
    }

    private static void Check(JsonElement expected, RougeMetrics actual)
    {
        foreach (var score in expected.EnumerateObject())
        {
            RougeMeans? means = score.Name switch
            {
                "rouge1" => actual.Rouge1,
                "rouge2" => actual.Rouge2,
                "rougeL" => actual.RougeL,
                "rougeLsum" => actual.RougeLsum,
                _ => null,
            };
            if (means is { } m)
                GoldenMetrics.Close(
                    [.. score.Value.Deserialize<double[]>()!.Select(v => 100 * v)], [m.Precision, m.Recall, m.F1], Tolerance, score.Name);
        }
    }

    private static IDataView Table(IEnumerable<(string Prediction, string[] Label)> rows) =>
        Ml.Data.LoadFromEnumerable(rows.Select(r => new Answered { Prediction = r.Prediction, Label = r.Label }));

    private sealed class Answered
    {
        public string Prediction { get; set; } = "";

        public string[] Label { get; set; } = [];
    }

    private sealed class Numbered
    {
        public string Prediction { get; set; } = "";

        public double Label { get; set; }
    }
}
