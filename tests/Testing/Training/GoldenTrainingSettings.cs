using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>How a training of the goldens goes, as its file tells it.</summary>
/// <param name="expected">The file.</param>
internal sealed partial class GoldenTrainingSettings(JsonElement expected)
{
    private JsonElement Optimizer => expected.GetProperty("optimizer");

    /// <summary>Peak learning rate of a group with multiplier 1.</summary>
    public double Peak => Optimizer.GetProperty("lr").GetDouble();

    /// <summary>Decays of the moments.</summary>
    public (float First, float Second) Betas =>
        (Optimizer.GetProperty("betas")[0].GetSingle(), Optimizer.GetProperty("betas")[1].GetSingle());

    /// <summary>Added to the root of the second moment.</summary>
    public float Epsilon => Optimizer.GetProperty("eps").GetSingle();

    /// <summary>Largest norm of the gradients; infinite for any.</summary>
    public float ClipNorm => Optimizer.TryGetProperty("clip_norm", out var norm) && norm.ValueKind == JsonValueKind.Number
        ? norm.GetSingle()
        : float.PositiveInfinity;

    /// <summary>Numbers of the steps after which weights are told.</summary>
    public HashSet<int> Snapshots => [.. expected.GetProperty("snapshots").EnumerateArray().Select(step => step.GetInt32())];

    /// <summary>Tensors that are rounding alone.</summary>
    public HashSet<string> NotCompared => [.. expected.GetProperty("not_compared").EnumerateArray().Select(name => name.GetString()!)];

    /// <summary>Whether the original's optimiser leaves out a parameter without a gradient, and whether experts without tokens have none.</summary>
    public bool SkipsWithoutGradient =>
        expected.GetProperty("made_with").GetProperty("class").GetString()!.StartsWith("Switch", StringComparison.Ordinal)
        || expected.GetProperty("steps").EnumerateArray().Any(step => step.GetProperty("parameters_without_gradient").GetArrayLength() > 0);

    /// <summary>Share of the targets' probability that is spread over all.</summary>
    public float LabelSmoothing => Smoothing().Match(expected.GetProperty("loss").GetString()!) is { Success: true } words
        ? (float)Number(words.Groups[1])
        : 0f;

    /// <summary>Why this training is not run; null where it is.</summary>
    public static string? ReasonToSkip(JsonElement expected) =>
        expected.GetProperty("optimizer").GetProperty("name").GetString() is not "AdamW" and var name
            ? $"Its optimiser is {name}."
            : null;

    /// <summary>How far the original's weights are from those in double precision after a step.</summary>
    public double RoundingAfter(int step) =>
        expected.TryGetProperty("float32_minus_float64", out var rounding)
        && rounding.TryGetProperty(step.ToString(CultureInfo.InvariantCulture), out var found) ? found.GetDouble() : 0;

    /// <summary>The factor of a step's learning rate: of this library's curve where the schedule is told in the words that are known.</summary>
    public double Factor(int stepsBefore, JsonElement step)
    {
        var words = Optimizer.GetProperty("schedule").GetString()!;
        if (words == "constant")
            return 1;
        if (WarmUpAndFall().Match(words) is not { Success: true } match)
            return step.GetProperty("lr").GetDouble() / Peak;
        var (warmUp, steps) = (Number(match.Groups[1]), Number(match.Groups[2]));
        Func<double, double> ease = match.Groups[3].Value == "linear" ? LearningRateCurves.Linear : LearningRateCurves.Cosine;
        return LearningRateCurves.WarmUp(warmUp, LearningRateCurves.Fall(steps - warmUp, ease))(stepsBefore);
    }

    /// <summary>How the tensors learn that a parameter was loaded from, which must be alike.</summary>
    public ParameterRate RateOf(IEnumerable<string> tensors)
    {
        ParameterRate[] rates = [.. tensors.Select(RateOf).Distinct()];
        Skip.If(rates.Length > 1, "Experts of one layer learn at several rates.");
        return rates[0];
    }

    private ParameterRate RateOf(string tensor)
    {
        var settings = expected.GetProperty("parameters").GetProperty(tensor);
        return settings.TryGetProperty("frozen", out var frozen) && frozen.GetBoolean()
            ? new ParameterRate(0f, 0f)
            : new ParameterRate(
                (float)(Peak * settings.GetProperty("lr_multiplier").GetDouble()), settings.GetProperty("weight_decay").GetSingle());
    }

    private static double Number(Group digits) => double.Parse(digits.Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"linear warm-up over (\d+) of (\d+) steps, then (linear|cosine) to 0")]
    private static partial Regex WarmUpAndFall();

    [GeneratedRegex(@"label smoothing (\d*\.?\d+)")]
    private static partial Regex Smoothing();
}
