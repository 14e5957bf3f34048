using System.Text;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Offline;

/// <summary>What stands before a component's own bytes: which class loads it, from which assembly, which version, its strings.</summary>
internal sealed class EntryHeader
{
    private readonly ulong _signature;
    private readonly uint _written;
    private readonly uint _readable;

    private EntryHeader(BinaryReader reader)
    {
        _signature = reader.ReadUInt64();
        _written = reader.ReadUInt32();
        _readable = reader.ReadUInt32();
        LoaderAssemblyName = reader.ReadText();
        LoaderSignature = reader.ReadText();
        Strings = new string[reader.ReadCount(1)];
        for (var i = 0; i < Strings.Length; i++)
            Strings[i] = reader.ReadText();
    }

    internal string LoaderAssemblyName { get; }

    internal string LoaderSignature { get; }

    internal string[] Strings { get; }

    private static ReadOnlySpan<byte> Magic => "MLSTANDIN 1\n"u8;

    internal static void Write(BinaryWriter writer, VersionInfo version, IReadOnlyCollection<string> strings)
    {
        writer.Write(Magic);
        writer.Write(version.ModelSignature);
        writer.Write(version.VerWrittenCur);
        writer.Write(version.VerReadableCur);
        writer.Write(version.LoaderAssemblyName ?? "");
        writer.Write(version.LoaderSignature ?? "");
        writer.Write(strings.Count);
        foreach (var text in strings)
            writer.Write(text);
        writer.Flush();
    }

    internal static EntryHeader Read(BinaryReader reader)
    {
        var isOurs = reader.ReadBytes(Magic.Length).AsSpan().SequenceEqual(Magic);
        Contracts.CheckDecode(isOurs, "Wrong file type: not written by this stand-in.");
        try
        {
            return new EntryHeader(reader);
        }
        catch (EndOfStreamException ex)
        {
            throw new FormatException("Corrupt file header", ex);
        }
    }

    internal void Check(VersionInfo version)
    {
        Contracts.CheckDecode(_signature == version.ModelSignature, "Unknown file type");
        Contracts.CheckDecode(_readable <= _written, "Corrupt file header");
        Contracts.CheckDecode(
            _readable <= version.VerWrittenCur,
            $"Component '{version.LoaderSignature}' cannot be read: the model is too new (version {_readable}).");
        Contracts.CheckDecode(
            _written >= version.VerWeCanReadBack,
            $"Component '{version.LoaderSignature}' cannot be read: the model is too old (version {_written}).");
    }
}

internal static class BoundedReading
{
    /// <summary>How many items follow: never more than the bytes that are left can hold.</summary>
    internal static int ReadCount(this BinaryReader reader, int bytesPerItem)
    {
        var count = reader.ReadInt32();
        var left = reader.BaseStream.Length - reader.BaseStream.Position;
        Contracts.CheckDecode(count >= 0 && (long)count * bytesPerItem <= left, $"Corrupt model file: {count} items cannot follow.");
        return count;
    }

    internal static string ReadText(this BinaryReader reader)
    {
        var length = reader.Read7BitEncodedInt();
        var left = reader.BaseStream.Length - reader.BaseStream.Position;
        Contracts.CheckDecode(length >= 0 && length <= left, $"Corrupt model file: a text of {length} bytes cannot follow.");
        return Encoding.UTF8.GetString(reader.ReadBytes(length));
    }
}
