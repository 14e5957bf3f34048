using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// The gradients of all parameters as bytes, for another rank of the same program. The values of long ones are left where they are, and travel apart.
/// </summary>
internal static class GradientMessage
{
    // from here on a message of its own costs less than copying into another and out of it
    private const int ApartLength = 4096;
    private const byte None = 0;
    private const byte All = 1;
    private const byte SomeExperts = 2;
    private const byte Rows = 3;

    /// <summary>What of a gradient travels apart: all its values, or none.</summary>
    public static Span<byte> ValuesApart(ParameterGradient? gradient) => IsApart(gradient) ? MemoryMarshal.AsBytes(gradient!.Values) : default;

    /// <summary>Bytes that gradients send.</summary>
    public static long TravelOf(IReadOnlyList<ParameterGradient?> gradients) =>
        gradients.Sum(gradient => BytesOf(gradient) + ValuesApart(gradient).Length);

    /// <summary>Bytes of gradients without those that travel apart.</summary>
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

            if (gradient is null)
                continue;
            BinaryPrimitives.WriteInt32LittleEndian(rest, gradient.Length);
            rest = rest[sizeof(int)..];
            if (!IsApart(gradient))
                rest = Put(rest, MemoryMarshal.AsBytes(gradient.Values));
        }
    }

    /// <summary>Reads gradients of parameters; values that travel apart are arbitrary until they are received.</summary>
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
        if (BinaryPrimitives.ReadInt32LittleEndian(Take(ref bytes, sizeof(int))) != length)
            throw new ArgumentOutOfRangeException(nameof(bytes));
        var gradient = new ParameterGradient
        {
            Rows = rows, Experts = experts, Length = length, Memory = rows is null ? buffers.Rent(length) : buffers.RentAtLeast(length),
        };
        if (!IsApart(gradient))
            MemoryMarshal.Cast<byte, float>(Take(ref bytes, checked(length * sizeof(float)))).CopyTo(gradient.Values);
        return gradient;
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
        : 1 + (gradient.Experts?.Length ?? 0) + (gradient.Rows is { } rows ? sizeof(int) * (1L + rows.Length) : 0)
            + sizeof(int) + (IsApart(gradient) ? 0 : sizeof(float) * (long)gradient.Length);

    private static bool IsApart(ParameterGradient? gradient) => gradient is { Rows: null, Length: >= ApartLength };

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
