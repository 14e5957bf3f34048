using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// SentencePiece's table of replacements: a double-array trie over UTF-8, whose leaves point into zero-terminated texts. Whole graphemes
/// are
/// looked up where they have fewer than six bytes, single characters otherwise, and the shortest key found counts. Source:
/// huggingface/spm_precompiled; huggingface/tokenizers, normalizers/precompiled.rs.
/// </summary>
internal sealed class PrecompiledNormalizer : TextNormalizer
{
    private const int LargestGrapheme = 5;
    private readonly uint[] _trie;
    private readonly byte[] _texts;

    /// <summary>Reads the table.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public PrecompiledNormalizer(ReadOnlySpan<byte> table, string file)
    {
        if (table.Length < sizeof(uint))
            throw new InvalidDataException($"{file}: normalizer Precompiled has a precompiled_charsmap of {table.Length} bytes.");
        var bytes = BinaryPrimitives.ReadUInt32LittleEndian(table);
        if (bytes > table.Length - sizeof(uint) || bytes < sizeof(uint))
            throw new InvalidDataException(
                $"{file}: normalizer Precompiled: its trie claims {bytes} bytes, but {table.Length - sizeof(uint)} follow.");
        _trie = new uint[bytes / sizeof(uint)];
        for (var i = 0; i < _trie.Length; i++)
            _trie[i] = BinaryPrimitives.ReadUInt32LittleEndian(table[(sizeof(uint) * (1 + i))..]);
        _texts = table[(sizeof(uint) + (int)bytes)..].ToArray();
    }

    public override bool Normalize(AlignedText source, AlignedText target)
    {
        List<AlignedChange>? changes = null;
        for (var i = 0; i < source.Length;)
        {
            // ASCII that no mark follows is a grapheme of its own
            var length = source.Units[i] is >= ' ' and < '\u007F' && (i + 1 == source.Length || source.Units[i + 1] < '\u007F')
                ? 1
                : StringInfo.GetNextTextElementLength(source.Units[i..]);
            var grapheme = source.Units.Slice(i, length);
            if (!TryReplace(grapheme, source, i, ref changes))
            {
                for (var c = 0; c < length;)
                {
                    var codePoint = CodePoints.At(grapheme, c, out var units);
                    if (!TryReplace(grapheme.Slice(c, units), source, i + c, ref changes))
                        changes?.Add(new AlignedChange(codePoint, 0));
                    c += units;
                }
            }

            i += length;
        }

        if (changes is null)
            return false;
        AlignedChange.Apply(source, changes, target);
        return true;
    }

    /// <summary>Adds the replacement of a part of the text, where the table has one.</summary>
    private bool TryReplace(ReadOnlySpan<char> part, AlignedText source, int start, ref List<AlignedChange>? changes)
    {
        Span<byte> key = stackalloc byte[LargestGrapheme];
        var index = Encoding.UTF8.TryGetBytes(part, key, out var bytes) ? Find(key[..bytes]) : -1;
        if (index < 0)
            return false;
        if (changes is null)
        {
            changes = new List<AlignedChange>(source.Length);
            for (var i = 0; i < start;)
            {
                changes.Add(new AlignedChange(source.CodePointAt(i, out var length), 0));
                i += length;
            }
        }

        var text = _texts.AsSpan(Math.Min(index, _texts.Length));
        var end = text.IndexOf((byte)0);
        var first = changes.Count;
        foreach (var rune in Encoding.UTF8.GetString(end < 0 ? text : text[..end]).EnumerateRunes())
            changes.Add(new AlignedChange(rune.Value, 0));
        var more = changes.Count - first - CodePoints.Count(part);
        for (var i = changes.Count - more; more > 0 && i < changes.Count; i++)
            changes[i] = changes[i] with { Change = 1 };
        if (more < 0 && changes.Count > 0)
            changes[^1] = changes[^1] with { Change = changes[^1].Change + more };
        return true;
    }

    /// <summary>Value of the shortest key that begins the bytes; −1 for none.</summary>
    private int Find(ReadOnlySpan<byte> bytes)
    {
        var node = Offset(_trie[0]);
        foreach (var b in bytes)
        {
            if (b == 0)
                return -1;
            node ^= b;
            if (node >= _trie.Length || (_trie[node] & 0x800000FF) != b)
                return -1;
            var unit = _trie[node];
            node ^= Offset(unit);
            if ((unit >> 8 & 1) != 0)
                return node < _trie.Length ? (int)(_trie[node] & int.MaxValue) : -1;
        }

        return -1;
    }

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & 1 << 9) >> 6);
}
