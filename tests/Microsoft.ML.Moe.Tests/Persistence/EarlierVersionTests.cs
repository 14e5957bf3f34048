using System.Text.Json;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.Persistence;

/// <summary>Model zips that an earlier version of the library has written, with what it predicted.</summary>
public sealed class EarlierVersionTests
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNameCaseInsensitive = true };

    [Theory]
    [InlineData("text-classifier")] // pairs, Unified, every second block dense, wide branch, router entropy
    [InlineData("image-classifier")]
    [InlineData("text-encoder")]
    public void ModelsOfVersion2ScoreTheSame(string name)
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "Persistence", "Version2");
        var expected = JsonSerializer.Deserialize<Expected>(File.ReadAllText(Path.Combine(folder, name + ".json")), Json)!;
        var ml = new MLContext();
        var model = ml.Model.Load(Path.Combine(folder, name + ".zip"), out _);
        using var loaded = (IDisposable)model;
        AssertScores(expected, model);

        // saved again, in today's form
        var again = RoundTripTests.Load(RoundTripTests.Save(model));
        using var reloaded = (IDisposable)again;
        AssertScores(expected, again);
    }

    private static void AssertScores(Expected expected, ITransformer model)
    {
        var scored = model.Transform(new MLContext().Data.LoadFromEnumerable(expected.Rows));
        var values = scored.GetColumn<float[]>(expected.Column).ToArray();
        Assert.Equal(expected.Values.Length, values.Length);
        for (var row = 0; row < values.Length; row++)
        {
            Assert.Equal(expected.Values[row].Length, values[row].Length);
            for (var i = 0; i < values[row].Length; i++)
                Assert.Equal(expected.Values[row][i], values[row][i], 1e-6f);
        }
    }

    private sealed record Expected(OldRow[] Rows, string Column, float[][] Values);

    private sealed class OldRow
    {
        public string Text { get; set; } = "";

        public string Second { get; set; } = "";

        public string Label { get; set; } = "";

        [VectorType(36)]
        public float[] Image { get; set; } = new float[36];
    }
}
