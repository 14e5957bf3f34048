using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>A golden of routers: its numbers by name.</summary>
internal sealed record GoldenRouterFile(JsonNode Json)
{
    private const double Tolerance = 1e-4;

    /// <summary>Reads a file.</summary>
    public static GoldenRouterFile Read(string path) => new(JsonNode.Parse(File.ReadAllText(path))!);

    /// <summary>Whether there is a member.</summary>
    public bool Has(string name) => Json.AsObject().ContainsKey(name);

    /// <summary>A member, which has to be there.</summary>
    public JsonNode this[string name] => Json[name] ?? throw new InvalidDataException($"The golden has no '{name}'.");

    /// <summary>A member as whole number; another number where it is not there.</summary>
    public int Int(string name, int otherwise) => Json[name]?.GetValue<int>() ?? otherwise;

    /// <summary>A member as number; another one where it is not there.</summary>
    public double Number(string name, double otherwise) => Json[name]?.GetValue<double>() ?? otherwise;

    /// <summary>A member as a golden of its own.</summary>
    public GoldenRouterFile Part(string name) => new(this[name]);

    /// <summary>The numbers of an array of any depth, row-major.</summary>
    public static float[] Numbers(JsonNode node) => [.. Leaves(node).Select(leaf => (float)leaf)];

    /// <summary>Sizes of an array of any depth.</summary>
    public static int[] Shape(JsonNode node) => node is JsonArray array ? [array.Count, .. array.Count == 0 ? [] : Shape(array[0]!)] : [];

    /// <summary>The layout of [B, T, …] rows of equal length, with a mask [B, T] if there is one.</summary>
    public SequenceLayout Layout(JsonNode rows)
    {
        var (count, length) = (rows.AsArray().Count, rows[0]!.AsArray().Count);
        var mask = Json["mask"] is { } flags ? Leaves(flags).Select(flag => flag == 1).ToArray() : null;
        return new SequenceLayout([.. Enumerable.Range(0, count + 1).Select(row => row * length)], mask?.Contains(false) == true ? mask : null);
    }

    /// <summary>Fails where the largest difference is over 1e-4 of the largest expected number.</summary>
    public static void AssertClose(string what, JsonNode expected, ReadOnlySpan<float> actual)
    {
        var numbers = Leaves(expected).ToArray();
        Assert.Equal(numbers.Length, actual.Length);
        var allowed = Tolerance * Math.Max(1e-6, numbers.Max(Math.Abs));
        for (var i = 0; i < numbers.Length; i++)
            Assert.True(Math.Abs(numbers[i] - actual[i]) <= allowed, $"{what}, number {i}: {actual[i]}, expected {numbers[i]} ± {allowed}.");
    }

    private static IEnumerable<double> Leaves(JsonNode node) =>
        node is JsonArray array ? array.SelectMany(item => Leaves(item!)) : [node.GetValue<double>()];
}
