using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.Generation;

/// <summary>Processors of scores change them as those of transformers do.</summary>
[Trait("Category", "Goldens")]
public sealed partial class GoldenScoreTests
{
    private const string Nothing = "";
    private static readonly GenerationOptions Base = new() { EndTokens = [1], TopK = 0, MaximumNewTokens = null, MaximumLength = 40 };

    public static TheoryData<string> Files { get; } =
        new(Goldens.JsonFiles("sampling").Select(file => Path.GetFileName(file)).DefaultIfEmpty(Nothing));

    public static TheoryData<string> Models { get; } =
        new(Goldens.Folders("models").Where(HasSampling).Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(Nothing));

    [SkippableTheory]
    [MemberData(nameof(Files))]
    public void Each_option_changes_scores_as_the_original(string name)
    {
        Skip.If(name == Nothing, "There are no goldens of sampling: set MLNETMOE_GOLDENS to their folder.");
        using var file = JsonDocument.Parse(File.ReadAllText(Path.Combine(Goldens.Root!, "sampling", name)));
        Assert.All(file.RootElement.GetProperty("cases").EnumerateArray(), test =>
        {
            var parameters = test.GetProperty("parameters");
            var options = Options(Base, parameters);
            var context = test.GetProperty("prompt_length").GetInt32();
            var rows = test.GetProperty("input_ids").EnumerateArray().Select(row => row.Deserialize<int[]>()!).ToList();
            for (var row = 0; row < rows.Count; row++)
            {
                var scores = Row(test.GetProperty("logits"), row);
                new ScoreProcessors(options).Apply(new SequenceSoFar(rows[row], context, options.MaximumLength ?? int.MaxValue), scores);
                Close(Row(test.GetProperty("scores"), row), scores, $"{test.GetProperty("name")}, row {row}");
            }
        });
    }

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void Options_change_a_models_scores_as_the_original(string name)
    {
        Skip.If(name == Nothing, "There are no goldens of sampling from models: set MLNETMOE_GOLDENS to their folder.");
        using var golden = GoldenModel.Open(Path.Combine(Goldens.Root!, "models", name));
        var (prefix, shape) = golden.Tensor("sampling.prefix")!.Value;
        var logits = golden.Tensor("sampling.input_logits")!.Value.Values;
        var vocabulary = logits.Length / shape[0];
        foreach (var output in golden.Json.GetProperty("cases").GetProperty("sampling").GetProperty("outputs").EnumerateArray())
        {
            if (output.GetString() is not { } what || what == "input_logits")
                continue;
            var options = golden.Json.TryGetProperty("sampling_cases", out var named) && named.TryGetProperty(what, out var arguments)
                ? Options(Base, arguments)
                : Options(Base, JsonSerializer.SerializeToElement(Argument(what)));
            var expected = golden.Tensor("sampling." + what)!.Value.Values;
            for (var row = 0; row < shape[0]; row++)
            {
                int[] tokens = [.. prefix.AsSpan(row * shape[1], shape[1]).ToArray().Select(id => (int)id)];
                var scores = logits.AsSpan(row * vocabulary, vocabulary).ToArray();
                new ScoreProcessors(options).Apply(new SequenceSoFar(tokens, 1, 1000), scores);
                Close(
                    [.. expected.AsSpan(row * vocabulary, vocabulary).ToArray().Select(s => s < -1e37f ? float.NegativeInfinity : s)],
                    scores,
                    $"{what}, row {row}");
            }
        }
    }

    private static bool HasSampling(string folder)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")));
        return json.RootElement.TryGetProperty("cases", out var cases) && cases.ValueKind == JsonValueKind.Object
            && cases.TryGetProperty("sampling", out _);
    }

    /// <summary>The argument that a name such as "top_p0.9" stands for.</summary>
    private static Dictionary<string, object> Argument(string name)
    {
        var match = NameAndNumber().Match(name);
        Assert.True(match.Success, $"sampling case {name} is not known");
        var number = double.Parse(match.Groups["number"].ValueSpan, CultureInfo.InvariantCulture);
        var option = match.Groups["name"].Value switch
        {
            "repetition" => "repetition_penalty",
            "ngram" => "no_repeat_ngram_size",
            var other => other,
        };
        return new() { ["do_sample"] = true, [option] = number == Math.Floor(number) ? (int)number : number };
    }

    private static GenerationOptions Options(GenerationOptions start, JsonElement arguments) =>
        GenerationConfigFile.Apply(start, Encoding.UTF8.GetBytes(arguments.GetRawText()), "arguments");

    private static float[] Row(JsonElement rows, int row) =>
        [.. rows[row].EnumerateArray().Select(s => s.ValueKind == JsonValueKind.Null ? float.NegativeInfinity : s.GetSingle())];

    private static void Close(float[] expected, float[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        var allowed = 1e-5f * expected.Where(float.IsFinite).Select(MathF.Abs).DefaultIfEmpty(0f).Max() + 1e-6f;
        for (var token = 0; token < expected.Length; token++)
            Assert.True(
                float.IsNegativeInfinity(expected[token])
                    ? float.IsNegativeInfinity(actual[token])
                    : Math.Abs(expected[token] - actual[token]) <= allowed,
                $"{what}: token {token} has {actual[token]}, not {expected[token]}");
    }

    [GeneratedRegex("^(?<name>[a-z_]+?)(?<number>[0-9.]+)$")]
    private static partial Regex NameAndNumber();
}
