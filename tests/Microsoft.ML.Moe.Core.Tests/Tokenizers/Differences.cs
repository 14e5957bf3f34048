using System.Text.Json;

namespace Microsoft.ML.Moe.Tests.Tokenizers;

/// <summary>Collects what differs from a golden file, and names the first of it.</summary>
internal sealed class Differences
{
    private const int Shown = 12;
    private readonly List<string> _found = [];

    /// <summary>Number of comparisons.</summary>
    public int Compared { get; private set; }

    /// <summary>Compares texts.</summary>
    public void Text(string what, string? expected, string? actual)
    {
        Compared++;
        if (expected != actual)
            _found.Add($"{what}: expected {JsonSerializer.Serialize(expected)}, is {JsonSerializer.Serialize(actual)}");
    }

    /// <summary>Compares sequences.</summary>
    public void Sequence<T>(string what, IEnumerable<T> expected, IEnumerable<T> actual)
    {
        Compared++;
        if (!expected.SequenceEqual(actual))
            _found.Add($"{what}: expected [{string.Join(' ', expected)}], is [{string.Join(' ', actual)}]");
    }

    /// <summary>Runs something that may fail.</summary>
    public void Try(string what, Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _found.Add($"{what}: {e.GetType().Name} {e.Message} {e.StackTrace?.Split('\n')[0]}");
        }
    }

    /// <summary>Fails where anything differs.</summary>
    public void AssertNone() =>
        Assert.True(_found.Count == 0, $"{_found.Count} of {Compared} differ:\n{string.Join('\n', _found.Take(Shown))}");
}
