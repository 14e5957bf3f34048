namespace Microsoft.ML.Contract.Tests;

/// <summary>A folder that goes when the test ends.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("mlnet-contract-").FullName;

    public string PathOf(string name) => Path.Combine(_path, name);

    public string Write(string name, string text)
    {
        File.WriteAllText(PathOf(name), text);
        return PathOf(name);
    }

    public string[] Files() => [.. Directory.GetFiles(_path).Select(Path.GetFileName).Order()];

    public void Dispose() => Directory.Delete(_path, recursive: true);
}
