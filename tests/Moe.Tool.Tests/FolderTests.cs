using System.Buffers.Binary;
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

    /// <summary>Writes a bitmap of 8 × 8 pixels of one colour, 24 bits each.</summary>
    protected void WriteBitmap(string name, byte red, byte blue)
    {
        const int Head = 54, Side = 8;
        var file = new byte[Head + (Side * Side * 3)];
        (file[0], file[1]) = ((byte)'B', (byte)'M');
        foreach (var (at, value) in new[] { (2, file.Length), (10, Head), (14, 40), (18, Side), (22, Side), (26, 1 | (24 << 16)), (34, file.Length - Head) })
            BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
        for (var at = Head; at < file.Length; at += 3)
            (file[at], file[at + 2]) = (blue, red);
        File.WriteAllBytes(Write(name, ""), file);
    }
}
