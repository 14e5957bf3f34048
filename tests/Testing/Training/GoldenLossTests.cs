using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Losses and their gradients are those of other programs, on any engine.</summary>
[Trait("Category", "Goldens")]
public abstract class GoldenLossTests
{
    private const double Tolerance = 1e-4;
    private const string None = "";

    public static TheoryData<string, int, string> Cases { get; } = MakeCases();

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void AgreesWithTheOriginal(string path, int number, string name)
    {
        Skip.If(path == None, "There are no goldens of losses: see MLNETMOE_GOLDENS.");
        var @case = LossCase.Read(path, number);
        using var engine = CreateEngine();
        var (value, gradients) = @case.Run(engine);
        AssertClose($"the value of '{name}'", @case.Value, value);
        foreach (var (input, expected) in @case.Gradients)
            AssertClose($"the gradient of {input} of '{name}'", expected, gradients[input]);
    }

    private static TheoryData<string, int, string> MakeCases()
    {
        var cases = new TheoryData<string, int, string>();
        foreach (var path in Goldens.JsonFiles("losses"))
        {
            foreach (var (number, name) in LossCase.NamesIn(path).Index())
                cases.Add(path, number, name);
        }

        if (!cases.Any())
            cases.Add(None, 0, None);
        return cases;
    }

    private static void AssertClose(string what, double[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        var allowed = Tolerance * Math.Max(1e-6, expected.Max(Math.Abs));
        var difference = expected.Zip(actual, (e, a) => Math.Abs(e - a)).Max();
        Assert.True(difference <= allowed, $"The largest difference of {what} is {difference}, over {allowed}.");
    }
}
