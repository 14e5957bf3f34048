using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Files;

/// <summary>
/// Reads a <see cref="TensorBlock"/> from its source into memory, on the engine's threads. What changes its order, as a transposition does,
/// goes through a small buffer, so that neither the file nor the memory is gone through in leaps.
/// </summary>
/// <typeparam name="T">float, or ushort for the bits of bfloat16 tensors.</typeparam>
internal readonly unsafe struct BlockReader<T>
    where T : unmanaged
{
    // A tile of the buffer: elements in a row of the source, and of the target. A cache line of bfloat16 in each row of the target.
    private const int SourceRun = 512;
    private const int TargetRun = 32;
    private const int BufferStride = SourceRun + 16;
    private const int RunOfItem = 1 << 18;
    private readonly TensorSource _source;
    private readonly TensorInfo _tensor;
    private readonly long _sourceFirst;
    private readonly T* _target;
    private readonly (int Size, long Source, long Target)[] _outer;
    private readonly (int Size, long Source, long Target) _sourceDimension;
    private readonly (int Size, long Source, long Target) _targetDimension;

    private BlockReader(TensorSource source, TensorBlock.Piece piece, int[] shape, T* target)
    {
        var strides = TensorBlock.Strides(shape);
        (_source, _tensor, _sourceFirst) = (source, piece.Tensor!, piece.First);
        _target = target;
        for (var axis = 0; axis < shape.Length; axis++)
            _target += piece.Start[axis] * strides[axis];
        var dimensions = Joined(piece, strides);
        _sourceDimension = Take(dimensions, d => d.Source == 1);
        _targetDimension = _sourceDimension.Target == 1 ? (1, 0, 0) : Take(dimensions, d => d.Target == 1);
        _outer = [.. dimensions];
    }

    private int SourceParts => (_sourceDimension.Size + RunLength - 1) / RunLength;

    private int TargetParts => (_targetDimension.Size + TargetRun - 1) / TargetRun;

    private bool KeepsOrder => _sourceDimension.Target == 1;

    // Without another order there is no buffer to fit.
    private int RunLength => KeepsOrder ? RunOfItem : SourceRun;

    private int Items => checked(_outer.Aggregate(1, (product, d) => product * d.Size) * SourceParts * TargetParts);

    /// <summary>Reads a block.</summary>
    /// <param name="engine">Gives the threads.</param>
    /// <param name="source">Has the tensors.</param>
    /// <param name="block">The block.</param>
    /// <param name="target">Receives its elements, row-major.</param>
    public static void Read(Engine engine, TensorSource source, TensorBlock block, Span<T> target)
    {
        fixed (T* first = target)
        {
            foreach (var piece in block.Pieces)
            {
                if (piece.Tensor is null)
                    target.Fill((T)(object)piece.Value);
                else if (piece.Dimensions.All(d => d.Size > 0))
                    new BlockReader<T>(source, piece, block.Shape, first).Read(engine);
            }
        }
    }

    private void Read(Engine engine)
    {
        var reader = this;
        engine.ForEach(Items, item => reader.ReadItem(item));
    }

    private void ReadItem(int item)
    {
        var sourceStart = item % SourceParts * RunLength;
        item /= SourceParts;
        var targetStart = item % TargetParts * TargetRun;
        item /= TargetParts;
        var first = _sourceFirst + sourceStart + targetStart * _targetDimension.Source;
        var target = _target + sourceStart * _sourceDimension.Target + targetStart;
        for (var i = _outer.Length - 1; i >= 0; i--)
        {
            var index = item % _outer[i].Size;
            item /= _outer[i].Size;
            first += index * _outer[i].Source;
            target += index * _outer[i].Target;
        }

        var run = Math.Min(RunLength, _sourceDimension.Size - sourceStart);
        if (KeepsOrder)
            Read(first, new Span<T>(target, run));
        else
            Transpose(first, run, Math.Min(TargetRun, _targetDimension.Size - targetStart), target);
    }

    private void Transpose(long first, int run, int rows, T* target)
    {
        var buffer = stackalloc T[TargetRun * BufferStride];
        for (var row = 0; row < rows; row++)
            Read(first + row * _targetDimension.Source, new Span<T>(buffer + row * BufferStride, run));
        for (var i = 0; i < run; i++, target += _sourceDimension.Target)
        {
            for (var row = 0; row < rows; row++)
                target[row] = buffer[row * BufferStride + i];
        }
    }

    private void Read(long first, Span<T> values)
    {
        if (typeof(T) == typeof(float))
            _source.Read(_tensor, first, MemoryMarshal.Cast<T, float>(values));
        else
            _source.ReadBFloat16(_tensor, first, MemoryMarshal.Cast<T, ushort>(values));
    }

    // Dimensions that are one in both source and target are joined, those of one element dropped; the outermost come first.
    private static List<(int Size, long Source, long Target)> Joined(TensorBlock.Piece piece, long[] strides)
    {
        List<(int Size, long Source, long Target)> joined = [];
        foreach (var (size, source, target) in piece.Dimensions
            .Where(d => d.Size != 1)
            .Select(d => (d.Size, d.SourceStride, Target: d.Step * strides[d.Axis]))
            .OrderByDescending(d => d.SourceStride))
        {
            if (joined is [.., var outer]
                && outer.Source == size * source
                && outer.Target == size * target
                && (long)outer.Size * size <= int.MaxValue)
            {
                joined[^1] = (outer.Size * size, source, target);
            }
            else
            {
                joined.Add((size, source, target));
            }
        }

        return joined;
    }

    private static (int Size, long Source, long Target) Take(
        List<(int Size, long Source, long Target)> dimensions, Predicate<(int Size, long Source, long Target)> isWanted)
    {
        var index = dimensions.FindIndex(isWanted);
        if (index < 0)
            return (1, 1, 1);
        var found = dimensions[index];
        dimensions.RemoveAt(index);
        return found;
    }
}
