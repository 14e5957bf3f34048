using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>
/// A model's folder in a zip as ML.NET writes it, read without ML.NET. <c>Model.key</c> begins with a header of 256 bytes: a signature, and in
/// 64-bit numbers, little-endian, place and length of the model's own part, of the table of strings and of their characters, and the kind of model.
/// </summary>
internal sealed class ZipModelFolder : ModelFolder
{
    private const int HeaderBytes = 256;
    private const int KindOffset = 0x40;
    private const int VersionOffset = 0x48;
    private const uint Version = 0x00010001;
    private const int MaximumKeyBytes = 1 << 20;

    /// <summary>Entries up to this length, in bytes, are unpacked in memory, longer ones in a temporary file.</summary>
    private const long MaximumBytesInMemory = 1L << 30;

    /// <summary>How many times the zip's length an entry may say that it has, and be believed before it is unpacked.</summary>
    private const int MostUnpacked = 16;

    private readonly ZipArchive _zip;
    private readonly long _zipBytes;
    private readonly string _path;
    private readonly string[] _strings;

    private ZipModelFolder(ZipArchive zip, long zipBytes, string path, byte[] key)
    {
        (_zip, _zipBytes, _path) = (zip, zipBytes, path);
        if (BinaryPrimitives.ReadUInt32LittleEndian(key.AsSpan(VersionOffset)) is var version and not Version)
            throw new InvalidDataException($"Folder {Name} of the model file has version 0x{version:X8}; this library reads 0x{Version:X8}. Update it.");
        _strings = ReadStrings(key);
        var list = new BinaryReader(new MemoryStream(PartOf(key, 0x10), writable: false));
        ReadList(list, () => list.ReadInt32() is var number && number >= 0 && number < _strings.Length && _strings[number].Length > 0
            ? _strings[number]
            : throw new FormatException("a name is missing"));
        var unlisted = zip.Entries.Select(PathOf).Where(entry => entry.StartsWith(path, StringComparison.Ordinal)).Select(entry => entry[path.Length..])
            .FirstOrDefault(name => name != KeyEntry && !name.Contains('/') && !Has(name));
        if (unlisted is not null)
            throw Damaged(unlisted, "Model.key does not list it");
    }

    private protected override string Name => _path.TrimEnd('/');

    /// <summary>Finds the one folder of a kind of model.</summary>
    /// <param name="zip">The model zip.</param>
    /// <param name="zipBytes">Its length.</param>
    /// <param name="kind">Eight characters, as the model's registration has them.</param>
    /// <param name="what">What errors call such a model.</param>
    /// <exception cref="InvalidDataException">There is none, or are several, or it is damaged.</exception>
    public static ZipModelFolder Find(ZipArchive zip, long zipBytes, string kind, string what)
    {
        ZipModelFolder? found = null;
        foreach (var entry in zip.Entries)
        {
            var path = PathOf(entry);
            if (Path.GetFileName(path) != KeyEntry)
                continue;
            var key = ReadKey(entry);
            if (key.Length < HeaderBytes || !key.AsSpan(0, 8).SequenceEqual("ML\0MODEL"u8))
                throw new InvalidDataException($"The model file is damaged: entry {entry.FullName} does not begin as ML.NET writes it.");
            if (!key.AsSpan(KindOffset, 8).SequenceEqual(Encoding.ASCII.GetBytes(kind)))
                continue;
            if (found is not null)
                throw new InvalidDataException($"The model file holds more than one {what}, {found._path} and {path}: save one alone.");
            found = new ZipModelFolder(zip, zipBytes, path[..^KeyEntry.Length], key);
        }

        return found ?? throw new InvalidDataException($"The file holds no {what} of this library that mlContext.Model.Save has written.");
    }

    private protected override bool TryOpen(string name, long length, Action<Stream> use)
    {
        if (_zip.Entries.FirstOrDefault(entry => PathOf(entry) == _path + name) is not { } entry)
            return false;
        using var packed = entry.Open();
        using Stream copy = length <= MaximumBytesInMemory ? new MemoryStream((int)Math.Min(length, MostUnpacked * _zipBytes)) : TemporaryFile();
        BoundedStream.CopyAtMost(packed, copy, length + 1);
        copy.Position = 0;
        use(copy);
        return true;
    }

    // in zips of older versions of ML.NET as Windows writes it
    private static string PathOf(ZipArchiveEntry entry) => entry.FullName.Replace('\\', '/');

    private static FileStream TemporaryFile() => new FileStream(
        Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);

    private static byte[] ReadKey(ZipArchiveEntry entry)
    {
        using var packed = entry.Open();
        return BoundedStream.ReadAtMost(packed, MaximumKeyBytes) ?? throw new InvalidDataException(
            $"The model file is damaged: entry {entry.FullName} is larger than {MaximumKeyBytes} bytes.");
    }

    /// <summary>The strings: a table of the ends of each, in bytes, and their UTF-16 characters.</summary>
    private string[] ReadStrings(byte[] key)
    {
        var (ends, characters) = (PartOf(key, 0x20), PartOf(key, 0x30));
        var strings = new string[ends.Length / sizeof(long)];
        var start = 0;
        for (var i = 0; i < strings.Length; i++)
        {
            var end = BinaryPrimitives.ReadInt64LittleEndian(ends.AsSpan(i * sizeof(long)));
            if (end < start || end > characters.Length)
                throw Damaged(KeyEntry, "its strings cannot be read");
            strings[i] = Encoding.Unicode.GetString(characters, start, (int)end - start);
            start = (int)end;
        }

        return strings;
    }

    /// <summary>A part, whose place and length stand in the header.</summary>
    private byte[] PartOf(byte[] key, int header)
    {
        var place = BinaryPrimitives.ReadInt64LittleEndian(key.AsSpan(header));
        var length = BinaryPrimitives.ReadInt64LittleEndian(key.AsSpan(header + sizeof(long)));
        return place >= 0 && length >= 0 && place <= key.Length && length <= key.Length - place
            ? key[(int)place..(int)(place + length)]
            : throw Damaged(KeyEntry, "its header points outside of it");
    }
}
