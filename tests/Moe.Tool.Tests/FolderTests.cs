using Microsoft.ML.Moe.Tests;

namespace MoeTool.Tests;

/// <summary>Tests with a folder of their own, which is gone when a test ends.</summary>
public abstract class FolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    protected string Folder => _folder.Path;

    public void Dispose()
    {
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Writes a file and gives its path.</summary>
    protected string Write(string name, string content) => _folder.Write(name, content);
}
