using System.Security.Cryptography;

namespace Microsoft.ML.Moe.MlNet;

/// <summary>
/// Writes a model's folder of the zip: entries of any kind, and <c>Model.key</c> with ML.NET's header and the length and SHA-256
/// digest of each entry, by which <see cref="ModelFolderReader"/> finds damage.
/// </summary>
internal sealed class ModelFolderWriter
{
    private readonly ModelSaveContext _context;
    private readonly List<(string Name, long Length, byte[] Digest)> _entries = [];

    public ModelFolderWriter(ModelSaveContext context, VersionInfo version)
    {
        ArgumentNullException.ThrowIfNull(context);
        _context = context;
        context.CheckAtModel();
        context.SetVersionInfo(version);
    }

    /// <summary>Adds a file to the folder.</summary>
    public void AddEntry(string name, Action<Stream> write) => _context.SaveBinaryStream(name, writer =>
    {
        var stream = writer.BaseStream;
        write(stream);
        stream.Position = 0;
        _entries.Add((name, stream.Length, SHA256.HashData(stream)));
    });

    /// <summary>Completes <c>Model.key</c>.</summary>
    public void Finish()
    {
        _context.Writer.Write(_entries.Count);
        foreach (var (name, length, digest) in _entries)
        {
            _context.SaveNonEmptyString(name);
            _context.Writer.Write(length);
            _context.Writer.Write(digest);
        }
    }
}
