using System.Text.Json;
using Microsoft.ML.Moe.Evaluation;

namespace Microsoft.ML.Moe.Tests.Evaluation;

/// <summary>SQuAD and ROUGE scores are those of the published programs.</summary>
[Trait("Category", "Goldens")]
public class GoldenTextMetricTests
{
    private const double Tolerance = 1e-12;

    public static TheoryData<string, string, string> Answers { get; } = GoldenMetrics.Cases(f => f.TryGetProperty("items", out _), "items");

    public static TheoryData<string, string, string> AnswerFiles { get; } =
        GoldenMetrics.Cases(f => f.TryGetProperty("items", out _), "aggregate");

    public static TheoryData<string, string, string> Summaries { get; } = GoldenMetrics.Cases(
        f => f.TryGetProperty("pairs", out _), "pairs");

    public static TheoryData<string, string, string> SummariesWithReferences { get; } =
        GoldenMetrics.Cases(f => f.TryGetProperty("multi", out _), "multi");

    public static TheoryData<string, string, string> Words { get; } = GoldenMetrics.Cases(f => f.TryGetProperty("porter", out _), "porter");

    [SkippableTheory]
    [MemberData(nameof(Answers))]
    public void AnswersMatchAsInSquad(string path, string section, string name)
    {
        var item = GoldenMetrics.ReadOrSkip(path).Case(section, name);
        var prediction = item.GetProperty("prediction").GetString()!;
        var answers = GoldenMetrics.List<string>(item, "answers");

        Assert.Equal(item.GetProperty("normalized_prediction").GetString(), AnswerMatch.Normalise(prediction));
        Assert.Equal(GoldenMetrics.List<string>(item, "normalized_answers"), answers.Select(AnswerMatch.Normalise));
        GoldenMetrics.Close(
            GoldenMetrics.List<double>(item, "f1_each"), [.. answers.Select(a => AnswerMatch.F1(prediction, a))], Tolerance, "f1_each");
        var best = AnswerMatch.Best(prediction, answers);
        GoldenMetrics.Close(item.GetProperty("em").GetDouble(), best.ExactMatch, Tolerance, "em");
        GoldenMetrics.Close(item.GetProperty("f1").GetDouble(), best.F1, Tolerance, "f1");
    }

    [SkippableTheory]
    [MemberData(nameof(AnswerFiles))]
    public void MeansAreThoseOfSquad(string path, string section, string name)
    {
        var file = GoldenMetrics.ReadOrSkip(path);
        var scores = file.Root.GetProperty("items").EnumerateArray()
            .Select(i => AnswerMatch.Best(i.GetProperty("prediction").GetString()!, GoldenMetrics.List<string>(i, "answers")))
            .ToList();

        var mean = name switch
        {
            "exact_match" => scores.Average(s => s.ExactMatch),
            "f1" => scores.Average(s => s.F1),
            _ => throw new InvalidDataException($"There is no aggregate '{name}'."),
        };
        GoldenMetrics.Close(file.Case(section, name).GetDouble(), 100 * mean, Tolerance, name);
    }

    [SkippableTheory]
    [MemberData(nameof(Summaries))]
    public void SummariesScoreAsInRouge(string path, string section, string name)
    {
        var item = GoldenMetrics.ReadOrSkip(path).Case(section, name);
        var (prediction, reference) = (item.GetProperty("prediction").GetString()!, item.GetProperty("reference").GetString()!);

        foreach (var (form, rouge) in new[] { ("plain", new Rouge()), ("stemmed", new Rouge(stem: true)) })
        {
            var tokens = GoldenMetrics.List<string[]>(item, $"tokens_{form}");
            Assert.Equal(tokens[0], rouge.Tokenize(prediction));
            Assert.Equal(tokens[1], rouge.Tokenize(reference));
            foreach (var score in item.GetProperty(form).EnumerateObject())
                Check(score, rouge.Score(score.Name, reference, prediction));
        }
    }

    [SkippableTheory]
    [MemberData(nameof(SummariesWithReferences))]
    public void TheBestReferenceCounts(string path, string section, string name)
    {
        var item = GoldenMetrics.ReadOrSkip(path).Case(section, name);
        var (prediction, references) = (item.GetProperty("prediction").GetString()!, GoldenMetrics.List<string>(item, "references"));

        foreach (var score in item.GetProperty("scores").EnumerateObject())
            Check(score, new Rouge().Best(score.Name, references, prediction));
    }

    [SkippableTheory]
    [MemberData(nameof(Words))]
    public void StemsAreThoseOfNltk(string path, string section, string name) =>
        Assert.Equal(GoldenMetrics.ReadOrSkip(path).Case(section, name).GetString(), PorterStemmer.Stem(name));

    private static void Check(JsonProperty expected, RougeScore actual) => GoldenMetrics.Close(
        expected.Value.Deserialize<double[]>()!,
        [actual.Precision, actual.Recall, actual.F1],
        Tolerance,
        expected.Name);
}
