using System.Buffers.Binary;
using System.Text;

namespace Microsoft.ML.Moe.Files;

/// <summary>
/// Reads a protobuf message field by field, where it lies: nothing is copied, and no length is believed that the message has no room for.
/// Source: Protocol Buffers, Encoding.
/// </summary>
/// <param name="message">The message.</param>
/// <param name="file">What errors call the file.</param>
/// <param name="start">Where the message begins in the file.</param>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message, string file, int start = 0)
{
    private const int MaximumVarintBytes = 10;
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private readonly ReadOnlySpan<byte> _message = message;
    private int _position;
    private int _length;
    private ulong _number;
    private WireType _type;

    private enum WireType
    {
        Varint = 0,
        Fixed64 = 1,
        Bytes = 2,
        Fixed32 = 5,
    }

    /// <summary>Number of the current field.</summary>
    public int Field { get; private set; }

    /// <summary>Where the current field's bytes begin in the file.</summary>
    public readonly int Start => start + _position - _length;

    /// <summary>How many bytes the current field has; 0 of an integer.</summary>
    public readonly int Length => _length;

    private readonly bool IsBytes => _type == WireType.Bytes;

    /// <summary>Goes to the next field.</summary>
    /// <returns>Whether there is one.</returns>
    /// <exception cref="InvalidDataException">What follows is no field, or reaches past the message.</exception>
    public bool Next()
    {
        if (_position == _message.Length)
            return false;
        var key = ReadVarint();
        if (key >> 3 is 0 or > int.MaxValue)
            throw Damaged($"there is no field {key >> 3}");
        Field = (int)(key >> 3);
        _type = (WireType)(key & 7);
        ulong length = _type switch
        {
            WireType.Varint => 0,
            WireType.Fixed32 => sizeof(uint),
            WireType.Fixed64 => sizeof(ulong),
            WireType.Bytes => ReadVarint(),
            _ => throw Damaged($"field {Field} has the unknown wire type {(int)_type}"),
        };
        if (_type == WireType.Varint)
            _number = ReadVarint();
        if (length > (ulong)(_message.Length - _position))
            throw Damaged($"field {Field} claims {length} bytes, but {_message.Length - _position} follow");
        _length = (int)length;
        _position += _length;
        return true;
    }

    /// <summary>The current field's integer.</summary>
    public readonly long Integer() => _type == WireType.Varint ? (long)_number : throw Damaged($"field {Field} is no integer");

    /// <summary>The current field's bytes.</summary>
    public readonly ReadOnlySpan<byte> Bytes() => IsBytes
        ? _message.Slice(_position - _length, _length)
        : throw Damaged($"field {Field} is a number, not text, bytes or a message");

    /// <summary>The current field's number in single precision.</summary>
    public readonly float Single() => _type == WireType.Fixed32
        ? BinaryPrimitives.ReadSingleLittleEndian(_message.Slice(_position - _length, _length))
        : throw Damaged($"field {Field} is no number in single precision");

    /// <summary>The current field's text.</summary>
    public readonly string Text()
    {
        try
        {
            return Utf8.GetString(Bytes());
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidDataException($"{file} holds text that is not UTF-8.", e);
        }
    }

    /// <summary>The current field as a message within this one.</summary>
    public readonly ProtobufReader Message() => new(Bytes(), file, Start);

    /// <summary>Adds the current field's integers, be they packed or one alone.</summary>
    /// <param name="values">Receives them.</param>
    /// <param name="most">Most values that it may have.</param>
    /// <exception cref="InvalidDataException">They are more, or no integers.</exception>
    public readonly void AddIntegers(List<long> values, int most)
    {
        if (!IsBytes)
        {
            AddInteger(values, Integer(), most);
            return;
        }

        var packed = Message();
        while (packed._position < packed._message.Length)
            AddInteger(values, (long)packed.ReadVarint(), most);
    }

    private readonly void AddInteger(List<long> values, long value, int most)
    {
        if (values.Count == most)
            throw Damaged($"field {Field} has over {most} values");
        values.Add(value);
    }

    private readonly InvalidDataException Damaged(string what) =>
        new($"{file} is damaged or no protobuf message: at byte {start + _position}, {what}.");

    private ulong ReadVarint()
    {
        var value = 0UL;
        for (var i = 0; i < MaximumVarintBytes; i++)
        {
            if (_position == _message.Length)
                throw Damaged("the message ends within a number");
            var part = _message[_position++];
            value |= (ulong)(part & 0x7F) << (7 * i);
            if (part < 0x80)
                return value;
        }

        throw Damaged($"a number has over {MaximumVarintBytes} bytes");
    }
}
