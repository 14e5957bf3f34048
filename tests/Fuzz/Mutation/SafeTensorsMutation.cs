using System.Buffers.Binary;

namespace Microsoft.ML.Moe.Tests.Fuzzing.Mutation;

/// <summary>Changes header or data of a safetensors file, and makes the header's length fit.</summary>
internal static class SafeTensorsMutation
{
    private static readonly float[] Numbers = [float.NaN, float.PositiveInfinity, -3e38f, 1e16f, 1e15f, -0f, float.Epsilon, 1e-38f];

    /// <inheritdoc cref="Mutator"/>
    public static byte[] Apply(byte[] content, Random random)
    {
        var length = content.Length < 8 ? -1 : BinaryPrimitives.ReadInt64LittleEndian(content);
        if (length < 2 || length > content.Length - 8)
            return ByteMutation.Apply(content, random);
        var header = content[8..(8 + (int)length)];
        var data = content[(8 + (int)length)..];
        switch (random.Next(6))
        {
            case 0 when data.Length >= 4:
                data = (byte[])data.Clone();
                var place = data.AsSpan(random.Next(data.Length / 4) * 4);
                BinaryPrimitives.WriteSingleLittleEndian(place, Numbers[random.Next(Numbers.Length)]);
                break;
            case 1:
                data = ByteMutation.Apply(data, random);
                break;
            default:
                header = JsonMutation.Apply(header, random);
                break;
        }

        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, header.Length);
        return [.. bytes, .. header, .. data];
    }
}
