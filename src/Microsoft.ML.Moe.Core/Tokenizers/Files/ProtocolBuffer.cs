using System.Buffers.Binary;
using System.Text;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// Fields of a protocol buffers message, one after another. Only what SentencePiece's files need: no groups. Source: the encoding page of
/// Google's Protocol Buffers documentation.
/// </summary>
/// <param name="bytes">The message.</param>
/// <param name="file">What errors call the file.</param>
internal ref struct ProtocolBuffer(ReadOnlySpan<byte> bytes, string file)
{
    private const int MaximumVarintBytes = 10;
    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);
    private ReadOnlySpan<byte> _rest = bytes;
    private int _kind;

    /// <summary>Number of the field just read.</summary>
    public int Field { get; private set; }

    /// <summary>The field's value: an integer, the bits of a float, or nothing for bytes.</summary>
    public long Value { get; private set; }

    /// <summary>The field's bytes: of a text, a message, or bytes.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>The field as a 32-bit float.</summary>
    public readonly float Float => _kind == 5 ? BitConverter.Int32BitsToSingle((int)Value) : throw Damaged();

    /// <summary>The field as UTF-8 text.</summary>
    public readonly string Text
    {
        get
        {
            try
            {
                return _kind == 2 ? Utf8.GetString(Bytes) : throw Damaged();
            }
            catch (DecoderFallbackException e)
            {
                throw new InvalidDataException($"{file} holds text that is not UTF-8.", e);
            }
        }
    }

    /// <summary>Reads the next field.</summary>
    /// <exception cref="InvalidDataException">The message is damaged.</exception>
    public bool Next()
    {
        if (_rest.IsEmpty)
            return false;
        var tag = Varint();
        (Field, _kind, Value) = ((int)(tag >> 3), (int)(tag & 7), 0);
        Bytes = default;
        switch (_kind)
        {
            case 0:
                Value = Varint();
                return true;
            case 1:
                Value = BinaryPrimitives.ReadInt64LittleEndian(Take(sizeof(long)));
                return true;
            case 2:
                Bytes = Take(Varint());
                return true;
            case 5:
                Value = BinaryPrimitives.ReadInt32LittleEndian(Take(sizeof(int)));
                return true;
            default:
                throw Damaged();
        }
    }

    private readonly InvalidDataException Damaged() => new($"{file} is not a SentencePiece model, or it is damaged.");

    private ReadOnlySpan<byte> Take(long count)
    {
        if (count < 0 || count > _rest.Length)
            throw Damaged();
        var taken = _rest[..(int)count];
        _rest = _rest[(int)count..];
        return taken;
    }

    private long Varint()
    {
        var value = 0UL;
        for (var i = 0; i < MaximumVarintBytes; i++)
        {
            var b = Take(1)[0];
            value |= (ulong)(b & 0x7F) << 7 * i;
            if (b < 0x80)
                return (long)value;
        }

        throw Damaged();
    }
}
