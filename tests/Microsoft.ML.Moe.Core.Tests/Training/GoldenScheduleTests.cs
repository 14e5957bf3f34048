using System.Text.Json;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Learning rates over the steps are those of transformers' and torch's schedules.</summary>
[Trait("Category", "Goldens")]
public class GoldenScheduleTests
{
    private const double Tolerance = 1e-9;
    private const string None = "";

    public static TheoryData<string, int, string> Cases { get; } = MakeCases();

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void AgreesWithTheOriginal(string path, int number, string name)
    {
        Skip.If(path == None, "There are no goldens of schedules: see MLNETMOE_GOLDENS.");
        using var file = JsonDocument.Parse(File.ReadAllText(path));
        var @case = file.RootElement.GetProperty("cases")[number];
        var peak = file.RootElement.GetProperty("base_lr").GetDouble();
        var schedule = new PublishedSchedule(@case.GetProperty("function").GetString()!, @case.GetProperty("parameters"), peak);
        Compare(name, @case.GetProperty("lr"), schedule.Peak, schedule.Rate);
        if (@case.TryGetProperty("momentum", out var momentum))
            Compare(name + ", momentum", momentum, 1, schedule.Momentum);
    }

    private static void Compare(string what, JsonElement expected, double factor, Func<double, double> curve)
    {
        foreach (var (step, value) in expected.EnumerateArray().Index())
        {
            var actual = factor * curve(step);
            Assert.True(
                Math.Abs(value.GetDouble() - actual) <= Tolerance, $"{what}, step {step}: expected {value.GetDouble()}, got {actual}.");
        }
    }

    private static TheoryData<string, int, string> MakeCases()
    {
        var cases = new TheoryData<string, int, string>();
        foreach (var path in Goldens.JsonFiles("schedules"))
        {
            using var file = JsonDocument.Parse(File.ReadAllText(path));
            foreach (var (number, @case) in file.RootElement.GetProperty("cases").EnumerateArray().Index())
                cases.Add(path, number, @case.GetProperty("name").GetString()!);
        }

        if (!cases.Any())
            cases.Add(None, 0, None);
        return cases;
    }
}
