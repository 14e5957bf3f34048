namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// A parameter's matrices, packed as second factors and kept until the values change: in inference weights are packed once and not
/// at every call. Takes as much memory as the parameter itself, in bfloat16 half as much, and is counted among the engine's. Several tapes
/// may ask at once; each may then pack, all the same.
/// </summary>
/// <param name="tensor">[…, k, columns]; transposed, […, columns, k].</param>
/// <param name="isTransposed">Whether the factors are the transposes of the tensor's matrices.</param>
internal sealed unsafe class PackedMatrices(ManagedTensor tensor, bool isTransposed)
{
    private readonly int _depth = tensor.Shape[isTransposed ? ^1 : ^2];
    private readonly int _columns = tensor.Shape[isTransposed ? ^2 : ^1];
    private readonly MemoryBlock _packed = new(LengthOf(tensor, isTransposed));
    private readonly CountedBytes _counted = new(tensor.Engine.Blocks, sizeof(float) * LengthOf(tensor, isTransposed));
    private long _version = -1;

    /// <summary>Bytes that the packed matrices take.</summary>
    public long Bytes => _counted.Bytes;

    /// <summary>Whether the packed matrices can be addressed.</summary>
    public static bool Fits(ManagedTensor tensor) => tensor.Shape.Length >= 2
        && Math.Max(LengthOf(tensor, isTransposed: false), LengthOf(tensor, isTransposed: true)) < int.MaxValue / 2;

    /// <summary>A matrix, ready for products.</summary>
    public SecondFactor this[int matrix] => Factor(matrix, isReady: true);

    /// <summary>Packs all matrices unless they are those of the current values.</summary>
    public PackedMatrices Update(ManagedTape tape)
    {
        var version = tensor.Version;
        if (Volatile.Read(ref _version) == version)
            return this;
        var panels = SecondFactor.PanelsOf(tensor.Engine.Kernels, _columns);
        tape.Workers.Run(Matrices(tensor) * panels, tensor.Length, (item, _) => Factor(item / panels, isReady: false).Pack(item % panels));
        Volatile.Write(ref _version, version);
        return this;
    }

    private SecondFactor Factor(int matrix, bool isReady)
    {
        var kernels = tensor.Engine.Kernels;
        var packed = _packed.Data + matrix * SecondFactor.PackedLength(kernels, _columns, _depth, tensor.Precision);
        return new SecondFactor(kernels, tensor.Matrix(matrix, isTransposed), _columns, _depth, packed, isReady, tensor.Precision);
    }

    private static int Matrices(ManagedTensor tensor)
    {
        var matrices = 1;
        foreach (var size in tensor.Shape[..^2])
            matrices *= size;
        return matrices;
    }

    private static long LengthOf(ManagedTensor tensor, bool isTransposed) => Matrices(tensor) * SecondFactor.PackedLength(
        tensor.Engine.Kernels, tensor.Shape[isTransposed ? ^2 : ^1], tensor.Shape[isTransposed ? ^1 : ^2], tensor.Precision);
}
