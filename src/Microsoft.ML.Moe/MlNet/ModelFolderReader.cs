using System.Security.Cryptography;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.MlNet;

/// <summary>Reads what <see cref="ModelFolderWriter"/> has written, with distrust.</summary>
internal sealed class ModelFolderReader
{
    private const int MaximumEntries = 64;
    private readonly ModelLoadContext _context;
    private readonly Dictionary<string, (long Length, byte[] Digest)> _entries = [];

    /// <summary>Reads <c>Model.key</c>.</summary>
    /// <param name="environment">Where the model will live.</param>
    /// <param name="context">The folder.</param>
    /// <param name="version">Kind and version that it must have.</param>
    /// <exception cref="FormatException">It is of another kind of model, or of a version that this library cannot read.</exception>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public ModelFolderReader(IHostEnvironment environment, ModelLoadContext context, VersionInfo version)
    {
        ArgumentNullException.ThrowIfNull(context);
        Environment = environment;
        _context = context;
        context.CheckAtModel(version);
        try
        {
            for (var count = ReadCount(); count > 0; count--)
                _entries.Add(context.LoadNonEmptyString(), (context.Reader.ReadInt64(), ReadDigest()));
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException or ArgumentException)
        {
            throw Damaged("Model.key", "its list of entries cannot be read", e);
        }
    }

    /// <summary>Where the model will live.</summary>
    public IHostEnvironment Environment { get; }

    /// <summary>Whether the folder has an entry.</summary>
    public bool Has(string name) => _entries.ContainsKey(name);

    /// <summary>Reads an entry after comparing its length and digest.</summary>
    /// <param name="name">Name of the entry.</param>
    /// <param name="maximumLength">Longest that it can possibly be, in bytes.</param>
    /// <param name="read">Reads it.</param>
    /// <exception cref="InvalidDataException">The entry is missing or damaged; the message names it.</exception>
    public T Read<T>(string name, long maximumLength, Func<Stream, T> read)
    {
        if (!_entries.TryGetValue(name, out var expected))
            throw Damaged(name, "Model.key does not list it");
        T result = default!;
        var opened = false;
        bool found;
        try
        {
            found = _context.TryLoadBinaryStream(name, reader =>
            {
                opened = true;
                var stream = reader.BaseStream;
                if (stream.Length != expected.Length || stream.Length > maximumLength)
                    throw Damaged(name, $"it has {stream.Length} bytes, not {Math.Min(expected.Length, maximumLength)}");
                if (!SHA256.HashData(stream).AsSpan().SequenceEqual(expected.Digest))
                    throw Damaged(name, "its contents have changed since it was saved");
                stream.Position = 0;
                result = read(stream);
            });
        }
        catch (Exception e) when (!opened && e is InvalidDataException or EndOfStreamException)
        {
            throw Damaged(name, "it cannot be unpacked", e);
        }

        return found ? result : throw Damaged(name, "it is missing");
    }

    private InvalidDataException Damaged(string name, string how, Exception? cause = null) =>
        new($"The model file is damaged: entry {_context.Directory}/{name}: {how}.", cause);

    private int ReadCount()
    {
        var count = _context.Reader.ReadInt32();
        return count is >= 0 and <= MaximumEntries ? count : throw new FormatException($"{count} entries");
    }

    private byte[] ReadDigest()
    {
        var digest = _context.Reader.ReadBytes(SHA256.HashSizeInBytes);
        return digest.Length == SHA256.HashSizeInBytes ? digest : throw new EndOfStreamException();
    }
}
