namespace Microsoft.ML.Moe.Tensors;

/// <summary>A trainable tensor with the name under which it is stored.</summary>
/// <param name="name">Unique within a model, in the form <c>encoder.layers.0.experts.w1_EDF</c>.</param>
/// <param name="value">The values, on the engine that trains them.</param>
/// <param name="sparseRows">Whether gradients touch few rows of the first dimension at a time (embedding tables).</param>
public sealed class Parameter(string name, Tensor value, bool sparseRows = false)
{
    /// <summary>Name within the model; also the tensor's name in the weights file.</summary>
    public string Name { get; } = name;

    /// <summary>The values.</summary>
    public Tensor Value { get; } = value;

    /// <summary>
    /// Whether the gradient is kept by row of the first dimension: such parameters are left out of gradient clipping and updated
    /// only in the rows that the step has touched.
    /// </summary>
    public bool SparseRows { get; } = sparseRows;

    /// <summary>
    /// Whether the first dimension is experts, of which a pass may leave some without tokens: their gradients are then neither written nor
    /// read; see <see cref="ParameterGroup.SkipsWithoutGradient"/>.
    /// </summary>
    internal bool IsStackOfExperts
    {
        get;
        set
        {
            field = value;
            if (value)
                Value.StackExperts();
        }
    }

    /// <summary>
    /// Whether the parameter stays as it is: no gradient is computed for it and no optimiser changes it, not even by weight decay;
    /// gradients still flow through the operations that use it to their other inputs. Freezing forgets the gradient. Default false.
    /// Not to be changed while a tape that has used the parameter is to go backward. Parameters in bfloat16 and int8 are always frozen.
    /// </summary>
    /// <exception cref="InvalidOperationException">The parameter is in bfloat16 or int8 and is to be trained.</exception>
    public bool IsFrozen
    {
        get => !Value.RequiresGradient;
        set
        {
            if (!value && Value.ElementType != ElementType.Float32)
            {
                throw new InvalidOperationException(
                    $"Parameter '{Name}' is in {Check.Text(Value.ElementType)}, too coarse to be trained: load it as float32.");
            }

            if (Value.ElementType == ElementType.Float32)
                Value.SetRequiresGradient(!value);
        }
    }

    /// <summary>Uses a parameter wherever an operation takes a tensor.</summary>
    /// <param name="parameter">The parameter.</param>
    public static implicit operator Tensor(Parameter parameter) => parameter.ToTensor();

    /// <summary>The values; named form of the conversion.</summary>
    public Tensor ToTensor() => Value;
}
