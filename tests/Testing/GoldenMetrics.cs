using System.Text.Json;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests;

/// <summary>A file of the golden kind "metrics", with the tensors beside it.</summary>
internal sealed class GoldenMetrics
{
    private readonly IReadOnlyDictionary<string, NamedValues> _tensors;

    private GoldenMetrics(JsonElement root, IReadOnlyDictionary<string, NamedValues> tensors) => (Root, _tensors) = (root, tensors);

    /// <summary>The file's content.</summary>
    public JsonElement Root { get; }

    /// <summary>Reads a file.</summary>
    public static GoldenMetrics Read(string path)
    {
        var tensorPath = Path.ChangeExtension(path, ".safetensors");
        using var document = JsonDocument.Parse(File.ReadAllText(path));
        if (!File.Exists(tensorPath))
            return new GoldenMetrics(document.RootElement.Clone(), new Dictionary<string, NamedValues>());
        using var stream = File.OpenRead(tensorPath);
        return new GoldenMetrics(document.RootElement.Clone(), SafeTensors.Read(stream, tensorPath).TakeAll());
    }

    /// <summary>
    /// Cases as (path, section, case) of all files: every item of each section, a section being an object or list of the file's. One
    /// without a path where there are no files, which must be skipped: a theory needs a case.
    /// </summary>
    /// <param name="areOf">Whether the file is of the kind that is tested.</param>
    /// <param name="sections">Names of the sections that are wanted.</param>
    public static TheoryData<string, string, string> Cases(Func<JsonElement, bool> areOf, params string[] sections)
    {
        var cases = new TheoryData<string, string, string>();
        foreach (var path in Goldens.JsonFiles("metrics"))
        {
            var root = Read(path).Root;
            foreach (var section in areOf(root) ? sections.Where(s => root.TryGetProperty(s, out _)) : [])
                foreach (var name in NamesOf(root.GetProperty(section)))
                    cases.Add(path, section, name);
        }

        if (cases.Count == 0)
            cases.Add("", "", "");
        return cases;
    }

    /// <summary>Reads the file of a case, or skips the test.</summary>
    public static GoldenMetrics ReadOrSkip(string path)
    {
        Skip.If(path.Length == 0, "There are no golden metrics: neither MLNETMOE_GOLDENS nor ../shared/goldens has them.");
        return Read(path);
    }

    /// <summary>A case of a section: by name, or by number in a list.</summary>
    public JsonElement Case(string section, string name) => Root.GetProperty(section) is { ValueKind: JsonValueKind.Array } list
        ? list[int.Parse(name)]
        : Root.GetProperty(section).GetProperty(name);

    /// <summary>All values of a tensor.</summary>
    public float[] Values(string name) => _tensors[name].Values;

    /// <summary>A table's rows.</summary>
    public float[][] Rows(string name) => [.. _tensors[name].Values.Chunk(_tensors[name].Shape[1])];

    /// <summary>The rows of a table that a property names.</summary>
    public float[][] Rows(JsonElement item, string property) => Rows(item.GetProperty(property).GetString()!);

    /// <summary>Numbers of a list.</summary>
    public static T[] List<T>(JsonElement item, string property) => item.GetProperty(property).Deserialize<T[]>()!;

    /// <summary>Checks every number of an object that a calculation is known for, and that there is no other.</summary>
    /// <param name="expected">The object.</param>
    /// <param name="actual">The value by name; null for names that are no results.</param>
    /// <param name="tolerance">How far a value may be off, relative to values over 1.</param>
    public static void Check(JsonElement expected, Func<string, double?> actual, double tolerance)
    {
        foreach (var item in expected.EnumerateObject())
            if (item.Value.ValueKind is JsonValueKind.Number && actual(item.Name) is { } value)
                Close(item.Value.GetDouble(), value, tolerance, item.Name);
    }

    /// <summary>Checks a number.</summary>
    public static void Close(double expected, double actual, double tolerance, string what) => Assert.True(
        Math.Abs(expected - actual) <= tolerance * Math.Max(1, Math.Abs(expected)),
        $"{what}: expected {expected:R}, but was {actual:R}");

    /// <summary>Checks numbers.</summary>
    public static void Close(IReadOnlyList<double> expected, IReadOnlyList<double> actual, double tolerance, string what)
    {
        Assert.Equal(expected.Count, actual.Count);
        for (var i = 0; i < expected.Count; i++)
            Close(expected[i], actual[i], tolerance, $"{what}[{i}]");
    }

    private static IEnumerable<string> NamesOf(JsonElement section) => section.ValueKind switch
    {
        JsonValueKind.Object => section.EnumerateObject().Select(p => p.Name),
        JsonValueKind.Array => Enumerable.Range(0, section.GetArrayLength()).Select(i => i.ToString()),
        _ => [],
    };
}
