namespace Microsoft.ML.Moe.Tests.Fuzzing.Mutation;

/// <summary>Changes fields of a protocol buffers message at any depth, and makes the lengths around them fit.</summary>
internal static class ProtobufMutation
{
    private const int MostDepth = 6;
    private static readonly long[] Edges =
        [0, 1, -1, 2, 3, 127, 128, 255, 65536, int.MaxValue, int.MinValue, 1L << 31, 1L << 40, long.MaxValue, long.MinValue];

    /// <inheritdoc cref="Mutator"/>
    public static byte[] Apply(byte[] content, Random random) =>
        Parse(content) is { Count: > 0 } fields ? Encode(Changed(fields, random, depth: 0)) : ByteMutation.Apply(content, random);

    private static List<Field> Changed(List<Field> fields, Random random, int depth)
    {
        var index = random.Next(fields.Count);
        var field = fields[index];
        if (field.Bytes is { } bytes && depth < MostDepth && random.Next(4) > 0 && Parse(bytes) is { Count: > 0 } inner)
        {
            fields[index] = field with { Bytes = Encode(Changed(inner, random, depth + 1)) };
            return fields;
        }

        switch (random.Next(8))
        {
            case 0:
                fields.RemoveAt(index);
                break;
            case 1:
                for (var more = random.Next(1, random.Next(8) == 0 ? 64 : 3); more > 0; more--)
                    fields.Insert(random.Next(fields.Count + 1), field);
                break;
            case 2:
                (fields[index], fields[0]) = (fields[0], field);
                break;
            case 3:
                fields[index] = field with { Number = random.Next(8) == 0 ? random.Next(1, 1 << 20) : random.Next(1, 45) };
                break;
            case 4:
                fields[index] = field with { Wire = random.Next(8) };
                break;
            case 5 when fields.Find(f => f.Bytes is not null && !ReferenceEquals(f, field)) is { } other:
                fields[index] = field with { Wire = 2, Bytes = other.Bytes };
                break;
            default:
                fields[index] = field.Bytes is { } content
                    ? field with { Bytes = ByteMutation.Apply(content, random) }
                    : field with { Value = random.Next(2) == 0 ? Edges[random.Next(Edges.Length)] : field.Value + random.Next(-3, 4) };
                break;
        }

        return fields;
    }

    private static List<Field>? Parse(byte[] bytes)
    {
        var fields = new List<Field>();
        for (var at = 0; at < bytes.Length;)
        {
            if (!TryVarint(bytes, ref at, out var tag) || tag >> 3 is <= 0 or > int.MaxValue)
                return null;
            var (number, wire) = ((int)(tag >> 3), (int)(tag & 7));
            switch (wire)
            {
                case 0 when TryVarint(bytes, ref at, out var value):
                    fields.Add(new Field(number, wire, value, null));
                    break;
                case 1 when at + 8 <= bytes.Length:
                    fields.Add(new Field(number, wire, BitConverter.ToInt64(bytes, at), null));
                    at += 8;
                    break;
                case 2 when TryVarint(bytes, ref at, out var length) && length >= 0 && length <= bytes.Length - at:
                    fields.Add(new Field(number, wire, 0, bytes[at..(at + (int)length)]));
                    at += (int)length;
                    break;
                case 5 when at + 4 <= bytes.Length:
                    fields.Add(new Field(number, wire, BitConverter.ToInt32(bytes, at), null));
                    at += 4;
                    break;
                default:
                    return null;
            }
        }

        return fields;
    }

    private static byte[] Encode(List<Field> fields)
    {
        var bytes = new MemoryStream();
        foreach (var (number, wire, value, content) in fields)
        {
            Varint(bytes, (long)number << 3 | (long)wire);
            switch (wire)
            {
                case 1:
                    bytes.Write(BitConverter.GetBytes(value));
                    break;
                case 2:
                    Varint(bytes, content?.Length ?? value);
                    bytes.Write(content ?? []);
                    break;
                case 5:
                    bytes.Write(BitConverter.GetBytes((int)value));
                    break;
                default:
                    Varint(bytes, value);
                    break;
            }
        }

        return bytes.ToArray();
    }

    private static bool TryVarint(byte[] bytes, ref int at, out long value)
    {
        value = 0;
        for (var shift = 0; shift < 64 && at < bytes.Length; shift += 7)
        {
            value |= (long)(bytes[at] & 0x7F) << shift;
            if (bytes[at++] < 0x80)
                return true;
        }

        return false;
    }

    private static void Varint(MemoryStream bytes, long value)
    {
        var rest = (ulong)value;
        for (; rest >= 0x80; rest >>= 7)
            bytes.WriteByte((byte)(rest | 0x80));
        bytes.WriteByte((byte)rest);
    }

    private sealed record Field(int Number, int Wire, long Value, byte[]? Bytes);
}
