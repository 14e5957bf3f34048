namespace Microsoft.ML.Moe.Training;

/// <summary>
/// How a published encoder is trained on a table: which of its layers, and at what rates. What is null follows from the table.
/// </summary>
/// <remarks>
/// Whatever is chosen, a layer over what the frozen encoder makes of the rows and a linear model over their words are fitted first, and the
/// fine-tuned encoder takes the place of the frozen one only where it has the lower log-loss on rows that neither has learned from.
/// </remarks>
/// <example><code>FineTuning.TopLayers(3) with { Epochs = 2 }</code></example>
public sealed record FineTuning
{
    private FineTuning(FineTuningScope scope, int layers) => (Scope, Layers) = (scope, layers);

    /// <summary>
    /// The table decides, by its rows and classes: many classes fine-tune the top half of the layers by supervised contrast, few classes and
    /// many rows all layers by cross-entropy, others none; nor those that would take more than 10¹⁴ floating-point operations, some ten minutes on two
    /// CPU cores. The default.
    /// </summary>
    public static FineTuning Auto { get; } = new(FineTuningScope.Auto, 0);

    /// <summary>The encoder stays as it is; what is fitted takes seconds.</summary>
    public static FineTuning None { get; } = new(FineTuningScope.None, 0);

    /// <summary>All layers are trained; the tables of tokens and positions stay as they are.</summary>
    public static FineTuning AllLayers { get; } = new(FineTuningScope.Top, int.MaxValue);

    /// <summary>Passes over the rows, within [1, 1000]; null follows from the table. Default null.</summary>
    public int? Epochs { get; init => field = OptionCheck.Range(value, 1, 1000, nameof(Epochs)); }

    /// <summary>Rows of a step, within [2, 65536]; null: 32 with few classes, 76, in pairs of one class, with many. Default null.</summary>
    public int? BatchSize { get; init => field = OptionCheck.Range(value, 2, 65536, nameof(BatchSize)); }

    /// <summary>Peak learning rate of the topmost layer, over 0; null: 1.5e-4, or 2e-4 with many classes or pairs. Default null.</summary>
    public float? LearningRate { get; init => field = value is { } rate ? OptionCheck.Positive(rate, nameof(LearningRate)) : null; }

    /// <summary>Peak learning rate of the layer that scores classes, over 0; null: 1e-3, or 5e-3 with many classes. Default null.</summary>
    public float? HeadLearningRate { get; init => field = value is { } rate ? OptionCheck.Positive(rate, nameof(HeadLearningRate)) : null; }

    /// <summary>
    /// What a layer's learning rate is of that of the layer above, within (0, 1] (Howard and Ruder 2018). Default 0.8.
    /// </summary>
    public float LayerDecay
    {
        get;
        init => field = value is > 0f and <= 1f ? value : throw new ArgumentOutOfRangeException(
            nameof(LayerDecay), value, $"{nameof(LayerDecay)} must be over 0 and at most 1.");
    } = 0.8f;

    /// <summary>Decoupled weight decay of matrices, within [0, 1000]. Default 0.01.</summary>
    public float WeightDecay { get; init => field = OptionCheck.Range(value, 0f, 1000f, nameof(WeightDecay)); } = 0.01f;

    /// <summary>Dropout rate of the pooled states that classes are scored by, within [0, 1). Default 0.1.</summary>
    public float Dropout { get; init => field = OptionCheck.Rate(value, nameof(Dropout)); } = 0.1f;

    /// <summary>What is minimised; null: contrast with more than 20 classes, else cross-entropy. Default null.</summary>
    public FineTuningLoss? Loss
    {
        get;
        init => field = value is null ? null : OptionCheck.Defined(value.Value, nameof(Loss));
    }

    /// <summary>What of the encoder is trained.</summary>
    internal FineTuningScope Scope { get; }

    /// <summary>Layers that are trained, from the top; more than there are for all.</summary>
    internal int Layers { get; }

    /// <summary>The topmost layers are trained; the others run once for each row, and what they give is kept.</summary>
    /// <param name="layers">Number of layers, at least 1; more than the encoder has are all.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="layers"/> is below 1.</exception>
    public static FineTuning TopLayers(int layers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(layers, 1);
        return new FineTuning(FineTuningScope.Top, layers);
    }

    /// <summary>What is trained: <c>Auto</c>, <c>None</c>, <c>TopLayers(3)</c>, <c>AllLayers</c>.</summary>
    public override string ToString() => Scope switch
    {
        FineTuningScope.None => nameof(None),
        FineTuningScope.Top => Layers == int.MaxValue ? nameof(AllLayers) : $"{nameof(TopLayers)}({Layers})",
        _ => nameof(Auto),
    };
}

/// <summary>Kinds of <see cref="FineTuning"/>.</summary>
internal enum FineTuningScope
{
    /// <summary>The table decides.</summary>
    Auto,

    /// <summary>Nothing.</summary>
    None,

    /// <summary>Some of the layers, or all.</summary>
    Top,
}

/// <summary>What a fine-tuning minimises.</summary>
public enum FineTuningLoss
{
    /// <summary>Cross-entropy of the classes.</summary>
    CrossEntropy,

    /// <summary>
    /// Supervised contrast (Khosla et al. 2020, "Supervised contrastive learning"): rows of a class are to lie close to each other, with half
    /// the cross-entropy beside it.
    /// </summary>
    Contrast,
}
