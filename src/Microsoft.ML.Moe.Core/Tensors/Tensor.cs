namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// A dense, row-major array of floats that belongs to an <see cref="Engine"/>. Tensors that a <see cref="Tape"/> makes live
/// until that tape is disposed; the values of a <see cref="Parameter"/> live until their engine is disposed.
/// </summary>
public abstract class Tensor
{
    private int[] _shape = [];

    /// <summary>Creates the handle.</summary>
    /// <param name="shape">Sizes of the dimensions, outermost first; each at least 0, product at most <see cref="int.MaxValue"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative or the product too large.</exception>
    protected Tensor(params ReadOnlySpan<int> shape) => Reshape(shape);

    /// <summary>Sizes of the dimensions, outermost first.</summary>
    public ReadOnlySpan<int> Shape => _shape.AsSpan(0, Rank);

    /// <summary>Number of dimensions.</summary>
    public int Rank { get; private set; }

    /// <summary>Number of elements.</summary>
    public int Length { get; private set; }

    /// <summary>Size of the last dimension.</summary>
    public int Columns => Shape[^1];

    /// <summary>Product of all dimensions but the last.</summary>
    public int Rows => Rank == 0 || Columns == 0 ? 0 : Length / Columns;

    /// <summary>
    /// What the elements are stored in: <see cref="ElementType.Float32"/> but for parameters that were made of bfloat16 or int8 values,
    /// which are frozen and of which <see cref="Tape.Linear"/>, <see cref="Tape.RouterLogits"/>, <see cref="Tape.GroupedExperts"/>,
    /// <see cref="Tape.MultiplyTransposed"/>, <see cref="Tape.Embedding"/> and <see cref="Tape.EmbeddingBag"/> take matrices and tables. Default <see cref="ElementType.Float32"/>.
    /// </summary>
    public virtual ElementType ElementType => ElementType.Float32;

    /// <summary>Whether a backward pass accumulates a gradient for this tensor.</summary>
    public abstract bool RequiresGradient { get; }

    /// <summary>Makes a parameter's tensor require a gradient or not, which is then zero; see <see cref="Parameter.IsFrozen"/>.</summary>
    /// <param name="requiresGradient">Whether it does.</param>
    /// <exception cref="InvalidOperationException">The tensor belongs to a tape.</exception>
    protected internal abstract void SetRequiresGradient(bool requiresGradient);

    /// <summary>Has a parameter's gradient kept by expert, the first dimension; see <see cref="Parameter.IsStackOfExperts"/>.</summary>
    internal virtual void StackExperts()
    {
    }

    /// <summary>For each expert of a <see cref="Parameter.IsStackOfExperts"/> whether a backward pass has reached it; null for other tensors.</summary>
    internal virtual bool[]? ExpertsWithGradient => null;

    /// <summary>Copies the values out, row-major.</summary>
    /// <param name="destination">At least <see cref="Length"/> elements.</param>
    public abstract void CopyTo(Span<float> destination);

    /// <summary>Copies some of the values out, row-major, so that a large tensor need not be in memory twice.</summary>
    /// <param name="first">Number of the first value.</param>
    /// <param name="destination">Receives as many values as it has room for.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are not as many values from that one on.</exception>
    internal abstract void CopyTo(int first, Span<float> destination);

    /// <summary>Keeps the rows that are not zero.</summary>
    internal virtual void CopyTo(KeptRows rows) => rows.Take(ToArray());

    /// <summary>Overwrites the values with those rows, and zeros between.</summary>
    internal virtual void CopyFrom(KeptRows rows) => CopyFrom(rows.ToArray());

    /// <summary>Overwrites the values, row-major.</summary>
    /// <param name="source">Exactly <see cref="Length"/> elements.</param>
    /// <exception cref="InvalidOperationException">The tensor is in bfloat16 or int8, which stay as they are.</exception>
    public abstract void CopyFrom(ReadOnlySpan<float> source);

    /// <summary>Copies a parameter's gradient out, row-major; zeros where no backward pass has reached it.</summary>
    /// <param name="destination">At least <see cref="Length"/> elements.</param>
    /// <exception cref="NotSupportedException">The tensor is a result with a gradient; those of parameters only are kept.</exception>
    public abstract void CopyGradientTo(Span<float> destination);

    /// <summary>
    /// Says whether several passes go by between two changes of a parameter's values in training, so that what an engine makes of them for
    /// products is worth keeping from pass to pass. Changes no result.
    /// </summary>
    internal virtual void KeepPackedWhileTraining(bool isKept)
    {
    }

    /// <summary>Takes a parameter's gradient out, so that it is zero; null where no backward pass has reached it.</summary>
    /// <param name="buffers">Lends memory.</param>
    internal abstract ParameterGradient? TakeGradient(GradientBuffers buffers);

    /// <summary>Makes a parameter's gradient what was taken out of a parameter of the same shape; null for zero.</summary>
    /// <param name="gradient">The gradient, whose memory is the parameter's from now on.</param>
    /// <param name="buffers">Receives the memory that is not needed any more.</param>
    internal abstract void PutGradient(ParameterGradient? gradient, GradientBuffers buffers);

    /// <summary>Reads the value of a tensor of one element later, so that nobody waits now for the device that computes it.</summary>
    /// <returns>The value, to be read when it is needed; the tensor's tape may be disposed by then.</returns>
    /// <exception cref="InvalidOperationException">The tensor has more elements than one, or none.</exception>
    public virtual LaterValue ReadLater()
    {
        if (Length != 1)
            throw new InvalidOperationException($"One element can be read later, not {Length}.");
        Span<float> value = stackalloc float[1];
        CopyTo(value);
        return new LaterValue(value[0]);
    }

    /// <summary>The values as a new array.</summary>
    public float[] ToArray()
    {
        var values = new float[Length];
        CopyTo(values);
        return values;
    }

    /// <summary>The matrices of a parameter in bfloat16 or int8, where the engine keeps such; null for others.</summary>
    internal virtual StoredMatrices? Stored => null;

    /// <summary>The bits of a tensor in bfloat16 as a new array.</summary>
    /// <exception cref="InvalidOperationException">The tensor is not in bfloat16.</exception>
    internal virtual ushort[] ToBFloat16Array() => throw new InvalidOperationException("The tensor is not in bfloat16.");

    /// <summary>Refuses part of the values that reaches beyond them.</summary>
    private protected void CheckPart(int first, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Length - first, nameof(first));
    }

    /// <summary>Gives the handle another shape, for an engine that uses it again.</summary>
    private protected void Reshape(ReadOnlySpan<int> shape)
    {
        long length = 1;
        foreach (var size in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(size, nameof(shape));
            length = checked(length * size);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(length, int.MaxValue, nameof(shape));
        }

        if (_shape.Length < shape.Length)
            _shape = new int[shape.Length];
        shape.CopyTo(_shape);
        (Rank, Length) = (shape.Length, (int)length);
    }
}
