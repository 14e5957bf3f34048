using System.Runtime.CompilerServices;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Files;

/// <summary>Named tensors to be read: a file, its shards, or another model's parameters.</summary>
internal abstract class TensorSource
{
    /// <summary>What errors call the source: a file or folder.</summary>
    public abstract string Name { get; }

    /// <summary>The tensors by name.</summary>
    public abstract IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>Reads elements as single-precision numbers, see <see cref="TensorValues.ToSingle"/>.</summary>
    /// <param name="tensor">One of <see cref="Tensors"/>.</param>
    /// <param name="first">Number of the first element, row-major.</param>
    /// <param name="values">Receives as many as it has room for.</param>
    /// <exception cref="ArgumentOutOfRangeException">The tensor has no such elements.</exception>
    /// <exception cref="InvalidDataException">The elements' type cannot be read as numbers.</exception>
    public void Read(TensorInfo tensor, long first, Span<float> values)
    {
        CheckRange(tensor, first, values.Length);
        if (!TensorValues.IsReadable(tensor.Type))
        {
            throw new InvalidDataException(
                $"{Name}: tensor {tensor.Name} is of type {tensor.Type.NameOf()}, which is not read here: convert it to F32 or BF16.");
        }

        ReadSingle(tensor, first, values);
    }

    /// <summary>Reads the bits of bfloat16 elements.</summary>
    /// <param name="tensor">One of <see cref="Tensors"/>, of type <see cref="TensorType.BF16"/>.</param>
    /// <param name="first">Number of the first element, row-major.</param>
    /// <param name="bits">Receives as many as it has room for.</param>
    /// <exception cref="ArgumentException">The tensor is of another type or has no such elements.</exception>
    public void ReadBFloat16(TensorInfo tensor, long first, Span<ushort> bits)
    {
        CheckRange(tensor, first, bits.Length);
        if (tensor.Type != TensorType.BF16)
            throw new ArgumentException($"Tensor {tensor.Name} is of type {tensor.Type.NameOf()}, not BF16.", nameof(tensor));
        ReadBits(tensor, first, bits);
    }

    /// <summary>The elements where they lie, for a tensor of bfloat16 in a mapped file; null where they have to be read.</summary>
    public virtual BFloat16Values? View(TensorInfo tensor) => null;

    /// <summary>As <see cref="Read"/>, which has checked the arguments.</summary>
    protected abstract void ReadSingle(TensorInfo tensor, long first, Span<float> values);

    /// <summary>As <see cref="ReadBFloat16"/>, which has checked the arguments.</summary>
    protected abstract void ReadBits(TensorInfo tensor, long first, Span<ushort> bits);

    private static void CheckRange(TensorInfo tensor, long first, int count, [CallerArgumentExpression(nameof(first))] string name = "")
    {
        if (first < 0 || first > tensor.Elements - count)
            throw new ArgumentOutOfRangeException(name, first, $"Tensor {tensor.Name} has {tensor.Elements} elements.");
    }
}
