using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Moe.Evaluation;

namespace Microsoft.ML.Moe.Tests.Evaluation;

/// <summary>Calibration errors, Brier's score and temperatures are those of an independent program.</summary>
[Trait("Category", "Goldens")]
public partial class GoldenCalibrationTests
{
    private const double Tolerance = 1e-9;
    private const double TemperatureTolerance = 1e-6;
    private const double SingleTolerance = 1e-5;

    public static TheoryData<string, string, string> Logits { get; } =
        GoldenMetrics.Cases(f => f.TryGetProperty("cases", out var c) && c[0].TryGetProperty("logits", out _), "cases");

    public static TheoryData<string, string, string> Edges { get; } = GoldenMetrics.Cases(f => true, "edge_case");

    [SkippableTheory]
    [MemberData(nameof(Logits))]
    public void LogitsScoreTheSame(string path, string section, string name)
    {
        var item = GoldenMetrics.ReadOrSkip(path).Case(section, name);
        var rows = GoldenMetrics.List<double[]>(item, "logits");
        var (classes, labels) = (rows[0].Length, GoldenMetrics.List<int>(item, "labels"));
        double[] logits = [.. rows.SelectMany(r => r)];
        var probabilities = Scores.Softmax(logits, classes);
        var temperature = Scores.BestTemperature(logits, labels);
        var tempered = Scores.Softmax(logits, classes, temperature);

        foreach (var score in item.EnumerateObject().Where(p => p.Value.ValueKind == JsonValueKind.Number))
        {
            var (actual, tolerance) = score.Name switch
            {
                "accuracy" => (Scores.Accuracy(logits, labels), Tolerance),
                "nll" => (Scores.LogLoss(logits, labels), Tolerance),
                "brier_sum" => (Scores.Brier(probabilities, labels), Tolerance),
                "brier_mean_over_classes" => (Scores.Brier(probabilities, labels) / classes, Tolerance),
                "brier_binary_class1" => (Scores.Brier(probabilities, labels) / 2, Tolerance),
                "temperature" => (temperature, TemperatureTolerance),
                "nll_at_temperature" => (Scores.LogLoss(logits, labels, temperature), Tolerance),
                _ => Error(score.Name, probabilities, tempered, labels),
            };
            GoldenMetrics.Close(score.Value.GetDouble(), actual, tolerance, score.Name);
        }

        CheckBins(item, probabilities, labels);
    }

    [SkippableTheory]
    [MemberData(nameof(Edges))]
    public void BinsHaveTheirUpperEdge(string path, string section, string name)
    {
        var item = GoldenMetrics.ReadOrSkip(path).Root.GetProperty(section);
        double[] probabilities = [.. GoldenMetrics.List<double[]>(item, "probs").SelectMany(r => r)];
        var labels = GoldenMetrics.List<int>(item, "labels");

        if (name.StartsWith("ece", StringComparison.Ordinal))
            GoldenMetrics.Close(
                item.GetProperty(name).GetDouble(), Error(name, probabilities, probabilities, labels).Value, Tolerance, name);
        if (name.StartsWith("bins", StringComparison.Ordinal))
            CheckBins(item, probabilities, labels);
    }

    [GeneratedRegex("^(torchmetrics_)?(ece|mce)_([0-9]+)(_at_temperature)?(_float32)?$")]
    private static partial Regex ErrorName { get; }

    private static (double Value, double Tolerance) Error(string name, double[] probabilities, double[] tempered, int[] labels)
    {
        var match = ErrorName.Match(name);
        Assert.True(match.Success, $"There is no score '{name}'.");
        var bins = int.Parse(match.Groups[3].Value, CultureInfo.InvariantCulture);
        var calibration = Calibration.Of(match.Groups[4].Success ? tempered : probabilities, labels, bins);
        return (
            match.Groups[2].Value == "ece" ? calibration.ExpectedError : calibration.MaximumError,
            match.Groups[5].Success ? SingleTolerance : match.Groups[4].Success ? TemperatureTolerance : Tolerance);
    }

    private static void CheckBins(JsonElement item, double[] probabilities, int[] labels)
    {
        foreach (var bins in item.EnumerateObject().Where(p => p.Name.StartsWith("bins_", StringComparison.Ordinal)))
        {
            var expected = bins.Value.Deserialize<double?[][]>()!;
            Assert.Equal($"bins_{expected.Length}", bins.Name);
            var actual = Calibration.Of(probabilities, labels, expected.Length).Bins;
            for (var b = 0; b < expected.Length; b++)
            {
                Assert.Equal(expected[b][0], actual[b].Count);
                GoldenMetrics.Close(expected[b][1] ?? 0, actual[b].Count == 0 ? 0 : actual[b].Confidence, Tolerance, $"{bins.Name}[{b}]");
                GoldenMetrics.Close(expected[b][2] ?? 0, actual[b].Count == 0 ? 0 : actual[b].Accuracy, Tolerance, $"{bins.Name}[{b}]");
            }
        }
    }
}
