namespace Microsoft.ML.Moe.Tests;

/// <summary>A folder that is deleted with everything in it.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private const int Attempts = 20;
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("moe-tests-");

    /// <summary>The folder itself.</summary>
    public string Path => _directory.FullName;

    /// <summary>Path of a file in the folder.</summary>
    public string this[string name] => System.IO.Path.Combine(_directory.FullName, name);

    /// <summary>Names of the files in the folder.</summary>
    public IEnumerable<string> Files => _directory.EnumerateFiles().Select(f => f.Name);

    /// <summary>Writes a file and gives its path.</summary>
    public string Write(string name, string content)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(this[name])!);
        File.WriteAllText(this[name], content);
        return this[name];
    }

    /// <summary>Writes a file of lines and gives its path.</summary>
    public string Write(string name, IEnumerable<string> lines) => Write(name, string.Concat(lines.Select(line => line + "\n")));

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
