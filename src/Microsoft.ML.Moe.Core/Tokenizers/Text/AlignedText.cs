using System.Text;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// Text on its way through normalizers and pre-tokenizers: UTF-16 units and, for each, which part of the original text it stands for.
/// Both units of a surrogate pair stand for the same part.
/// </summary>
internal sealed class AlignedText
{
    private char[] _units = [];
    private int[] _starts = [];
    private int[] _ends = [];

    /// <summary>Number of units.</summary>
    public int Length { get; private set; }

    /// <summary>The units.</summary>
    public ReadOnlySpan<char> Units => _units.AsSpan(0, Length);

    /// <summary>Start in the original text, per unit.</summary>
    public ReadOnlySpan<int> Starts => _starts.AsSpan(0, Length);

    /// <summary>End in the original text, exclusive, per unit.</summary>
    public ReadOnlySpan<int> Ends => _ends.AsSpan(0, Length);

    /// <summary>Units that the arrays can hold.</summary>
    public int Capacity => _units.Length;

    /// <summary>Empties the text.</summary>
    public void Clear() => Length = 0;

    /// <summary>Takes an original text; halves of surrogate pairs become U+FFFD.</summary>
    public void SetOriginal(ReadOnlySpan<char> text)
    {
        Length = 0;
        Reserve(text.Length);
        text.CopyTo(_units);
        Length = text.Length;
        for (var i = 0; i < text.Length; i++)
        {
            _starts[i] = i;
            _ends[i] = i + 1;
        }

        for (var i = text.IndexOfAnyInRange('\uD800', '\uDFFF'); (uint)i < (uint)text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
                continue;
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
            {
                _ends[i]++;
                _starts[i + 1]--;
                i++;
            }
            else
            {
                _units[i] = '\uFFFD';
            }
        }
    }

    /// <summary>Appends a unit that stands for [start, end) of the original text.</summary>
    public void Append(char unit, int start, int end)
    {
        if (Length == _units.Length)
            Reserve(1);
        _units[Length] = unit;
        _starts[Length] = start;
        _ends[Length++] = end;
    }

    /// <summary>Appends a code point that stands for [start, end) of the original text.</summary>
    public void Append(int codePoint, int start, int end)
    {
        if (codePoint < 0x10000)
        {
            Append((char)codePoint, start, end);
            return;
        }

        Span<char> pair = stackalloc char[2];
        new Rune(codePoint).EncodeToUtf16(pair);
        Append(pair[0], start, end);
        Append(pair[1], start, end);
    }

    /// <summary>Appends units of another text with what they stand for.</summary>
    public void Append(AlignedText text, int start, int length)
    {
        Reserve(length);
        text._units.AsSpan(start, length).CopyTo(_units.AsSpan(Length));
        text._starts.AsSpan(start, length).CopyTo(_starts.AsSpan(Length));
        text._ends.AsSpan(start, length).CopyTo(_ends.AsSpan(Length));
        Length += length;
    }

    /// <summary>The code point that begins at a unit, and its number of units.</summary>
    public int CodePointAt(int index, out int length) => CodePoints.At(_units.AsSpan(0, Length), index, out length);

    private void Reserve(int more)
    {
        var needed = Length + more;
        if (needed <= _units.Length)
            return;
        var capacity = Math.Max(needed, Math.Max(64, 2 * _units.Length));
        Array.Resize(ref _units, capacity);
        Array.Resize(ref _starts, capacity);
        Array.Resize(ref _ends, capacity);
    }
}
