namespace Microsoft.ML.Moe.Tests;

/// <summary>A folder that is deleted with everything in it.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("moe-tests-");

    /// <summary>Path of a file in the folder.</summary>
    public string this[string name] => Path.Combine(_directory.FullName, name);

    /// <summary>Names of the files in the folder.</summary>
    public IEnumerable<string> Files => _directory.EnumerateFiles().Select(f => f.Name);

    public void Dispose() => _directory.Delete(recursive: true);
}
