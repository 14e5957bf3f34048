using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>The gradients of all parameters as bytes, for another rank of the same program.</summary>
internal static class GradientMessage
{
    private const byte None = 0;
    private const byte All = 1;
    private const byte SomeExperts = 2;
    private const byte Rows = 3;

    /// <summary>Bytes of gradients.</summary>
    /// <exception cref="OverflowException">They take more than an array can hold.</exception>
    public static int LengthOf(IReadOnlyList<ParameterGradient?> gradients) => checked((int)gradients.Sum(BytesOf));

    /// <summary>Writes gradients.</summary>
    /// <param name="gradients">The gradients.</param>
    /// <param name="rest">Receives <see cref="LengthOf"/> bytes.</param>
    public static void Write(IReadOnlyList<ParameterGradient?> gradients, Span<byte> rest)
    {
        foreach (var gradient in gradients)
        {
            rest[0] = KindOf(gradient);
            rest = rest[1..];
            if (gradient?.Experts is { } experts)
                rest = Put(rest, MemoryMarshal.AsBytes(experts.AsSpan()));
            if (gradient?.Rows is { } rows)
            {
                BinaryPrimitives.WriteInt32LittleEndian(rest, rows.Length);
                rest = Put(rest[sizeof(int)..], MemoryMarshal.AsBytes(rows.AsSpan()));
            }

            if (gradient is not null)
                rest = Put(rest, MemoryMarshal.AsBytes(gradient.Values.AsSpan()));
        }
    }

    /// <summary>Reads gradients of parameters.</summary>
    /// <exception cref="InvalidDataException">The other rank trains another model.</exception>
    public static ParameterGradient?[] Read(ReadOnlySpan<byte> bytes, IReadOnlyList<Parameter> parameters, GradientBuffers buffers)
    {
        try
        {
            var gradients = new ParameterGradient?[parameters.Count];
            for (var i = 0; i < gradients.Length; i++)
                gradients[i] = Read(ref bytes, parameters[i].Value, buffers);
            if (bytes.Length == 0)
                return gradients;
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or IndexOutOfRangeException or OverflowException)
        {
            // told below
        }

        throw new InvalidDataException("Another rank trains another model: give all ranks the same program, options and rows.");
    }

    private static ParameterGradient? Read(ref ReadOnlySpan<byte> bytes, Tensor value, GradientBuffers buffers)
    {
        var kind = bytes[0];
        bytes = bytes[1..];
        if (kind == None)
            return null;
        var experts = kind == SomeExperts ? MemoryMarshal.Cast<byte, bool>(Take(ref bytes, value.Shape[0])).ToArray() : null;
        int[]? rows = null;
        if (kind == Rows)
        {
            var count = BinaryPrimitives.ReadInt32LittleEndian(Take(ref bytes, sizeof(int)));
            rows = MemoryMarshal.Cast<byte, int>(Take(ref bytes, checked(count * sizeof(int)))).ToArray();
        }

        var length = rows is null ? value.Length : checked(rows.Length * (value.Length / Math.Max(1, value.Shape[0])));
        var numbers = MemoryMarshal.Cast<byte, float>(Take(ref bytes, checked(length * sizeof(float))));
        var values = rows is null ? buffers.Rent(length) : new float[length];
        numbers.CopyTo(values);
        return new ParameterGradient { Rows = rows, Experts = experts, Values = values };
    }

    private static byte KindOf(ParameterGradient? gradient) => gradient switch
    {
        null => None,
        { Rows: not null } => Rows,
        { Experts: not null } => SomeExperts,
        _ => All,
    };

    private static long BytesOf(ParameterGradient? gradient) => gradient is null
        ? 1
        : 1 + (gradient.Experts?.Length ?? 0) + (gradient.Rows is { } rows ? sizeof(int) * (1L + rows.Length) : 0) + sizeof(float) * (long)gradient.Values.Length;

    private static Span<byte> Put(Span<byte> rest, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(rest);
        return rest[bytes.Length..];
    }

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> bytes, int length)
    {
        var taken = bytes[..length];
        bytes = bytes[length..];
        return taken;
    }
}
