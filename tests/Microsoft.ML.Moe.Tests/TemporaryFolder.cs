namespace Microsoft.ML.Moe.Tests;

/// <summary>A folder that is deleted with everything in it.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private const int Attempts = 20;
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("moe-tests-");

    /// <summary>Path of a file in the folder.</summary>
    public string this[string name] => Path.Combine(_directory.FullName, name);

    /// <summary>Names of the files in the folder.</summary>
    public IEnumerable<string> Files => _directory.EnumerateFiles().Select(f => f.Name);

    public void Dispose()
    {
        for (var attempt = 1; Directory.Exists(_directory.FullName); attempt++)
            try
            {
                _directory.Delete(recursive: true);
            }
            catch (DirectoryNotFoundException) when (attempt < Attempts)
            {
                // after a failed load ML.NET deletes its own folders here at the same time, from finalizers
            }
    }
}
