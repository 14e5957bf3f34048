using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Microsoft.ML.Moe.Files;

/// <summary>
/// Tells one model folder from another without reading all of it: SHA-256 over <c>config.json</c> and, of each file of weights, its name, its
/// length, its header, a piece of every sixteen mebibytes and its end. Another model, another version or a cut-off file has another digest; single
/// changed bits need not.
/// </summary>
internal static class WeightsDigest
{
    private const int PieceBytes = 1 << 12;
    private const long Step = 1 << 24;
    private const string Extension = ".safetensors";

    /// <summary>The digest of a folder, as hexadecimal digits.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static string Of(string folder)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(File.ReadAllBytes(Path.Combine(folder, "config.json")));
        foreach (var file in Directory.GetFiles(folder, "*" + Extension).Order(StringComparer.Ordinal))
            Add(hash, file);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Add(IncrementalHash hash, string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        hash.AppendData(Encoding.UTF8.GetBytes(Path.GetFileName(path)));
        Span<byte> number = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(number, stream.Length);
        hash.AppendData(number);
        var piece = new byte[PieceBytes];
        // the header is at the beginning and may be longer than a piece
        var length = stream.ReadAtLeast(number, number.Length, throwOnEndOfStream: false) == number.Length
            ? BinaryPrimitives.ReadInt64LittleEndian(number)
            : 0;
        for (var left = Math.Clamp(length, 0, stream.Length - stream.Position); left > 0;)
        {
            var count = stream.Read(piece, 0, (int)Math.Min(left, piece.Length));
            hash.AppendData(piece, 0, count);
            left -= count;
        }

        for (var start = stream.Position; start < stream.Length; start += Step)
            AddPiece(start);
        AddPiece(Math.Max(0, stream.Length - PieceBytes));

        void AddPiece(long start)
        {
            stream.Position = start;
            hash.AppendData(piece, 0, stream.ReadAtLeast(piece, piece.Length, throwOnEndOfStream: false));
        }
    }
}
