using System.Buffers.Binary;
using System.Collections.Frozen;
using System.IO.Compression;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// Combining classes, decompositions and compositions of Unicode 9, which the normalizers of huggingface/tokenizers follow; independent of
/// the machine's ICU. The resource is made by <c>eng/normalization-tables.py</c>, which describes it. Hangul is computed (Unicode standard,
/// section 3.12).
/// </summary>
internal static class NormalizationTables
{
    private const int HangulFirst = 0xAC00;
    private const int HangulCount = 11172;
    private const int LeadFirst = 0x1100;
    private const int LeadCount = 19;
    private const int VowelFirst = 0x1161;
    private const int VowelCount = 21;
    private const int TrailFirst = 0x11A7;
    private const int TrailCount = 28;
    private static readonly (int First, int Last, int Class)[] Classes;
    private static readonly FrozenDictionary<int, int[]> Canonical;
    private static readonly FrozenDictionary<int, int[]> Compatible;
    private static readonly FrozenDictionary<(int, int), int> Compositions;

    static NormalizationTables()
    {
        using var resource = typeof(NormalizationTables).Assembly.GetManifestResourceStream("Tokenizers/Normalization.bin")!;
        using var bytes = new MemoryStream();
        using (var inflate = new DeflateStream(resource, CompressionMode.Decompress))
            inflate.CopyTo(bytes);
        var numbers = new Numbers(bytes.ToArray());
        Classes = new (int, int, int)[numbers.Next()];
        for (var i = 0; i < Classes.Length; i++)
            Classes[i] = (numbers.Next(), numbers.Next(), numbers.Next());
        var canonical = new Dictionary<int, int[]>();
        var compatible = new Dictionary<int, int[]>();
        for (var count = numbers.Next(); count > 0; count--)
        {
            var (codePoint, onlyCompatible) = (numbers.Next(), numbers.Next() == 1);
            var parts = new int[numbers.Next()];
            for (var i = 0; i < parts.Length; i++)
                parts[i] = numbers.Next();
            (onlyCompatible ? compatible : canonical)[codePoint] = parts;
        }

        var compositions = new Dictionary<(int, int), int>();
        for (var count = numbers.Next(); count > 0; count--)
            compositions[(numbers.Next(), numbers.Next())] = numbers.Next();
        Canonical = canonical.ToFrozenDictionary();
        Compatible = compatible.ToFrozenDictionary();
        Compositions = compositions.ToFrozenDictionary();
    }

    /// <summary>Canonical combining class; 0 for a starter.</summary>
    public static int ClassOf(int codePoint)
    {
        if (codePoint < 0x300)
            return 0;
        var (low, high) = (0, Classes.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) >> 1;
            if (codePoint < Classes[middle].First)
                high = middle - 1;
            else if (codePoint > Classes[middle].Last)
                low = middle + 1;
            else
                return Classes[middle].Class;
        }

        return 0;
    }

    /// <summary>Full decomposition; empty for a code point that has none.</summary>
    /// <param name="codePoint">The code point.</param>
    /// <param name="compatible">Whether compatibility decompositions count.</param>
    /// <param name="room">Three places for a Hangul syllable's parts.</param>
    public static ReadOnlySpan<int> Decompose(int codePoint, bool compatible, Span<int> room)
    {
        if (codePoint < 0xA0)
            return [];
        if ((uint)(codePoint - HangulFirst) < HangulCount)
        {
            var index = codePoint - HangulFirst;
            room[0] = LeadFirst + index / (VowelCount * TrailCount);
            room[1] = VowelFirst + index % (VowelCount * TrailCount) / TrailCount;
            room[2] = TrailFirst + index % TrailCount;
            return room[..(room[2] == TrailFirst ? 2 : 3)];
        }

        return (compatible && Compatible.TryGetValue(codePoint, out var parts)) || Canonical.TryGetValue(codePoint, out parts) ? parts : [];
    }

    /// <summary>What two code points compose to; −1 when nothing.</summary>
    public static int Compose(int first, int second)
    {
        if ((uint)(first - LeadFirst) < LeadCount && (uint)(second - VowelFirst) < VowelCount)
            return HangulFirst + ((first - LeadFirst) * VowelCount + second - VowelFirst) * TrailCount;
        if ((uint)(first - HangulFirst) < HangulCount && (first - HangulFirst) % TrailCount == 0
            && (uint)(second - TrailFirst - 1) < TrailCount - 1)
            return first + second - TrailFirst;
        return Compositions.TryGetValue((first, second), out var composed) ? composed : -1;
    }

    private ref struct Numbers(ReadOnlySpan<byte> bytes)
    {
        private ReadOnlySpan<byte> _rest = bytes;

        public int Next()
        {
            var number = BinaryPrimitives.ReadInt32LittleEndian(_rest);
            _rest = _rest[sizeof(int)..];
            return number;
        }
    }
}
