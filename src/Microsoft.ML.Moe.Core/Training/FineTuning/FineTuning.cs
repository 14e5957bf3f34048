namespace Microsoft.ML.Moe.Training;

/// <summary>How much of a published encoder is trained on a table.</summary>
/// <remarks>
/// Whatever is chosen, a layer over what the frozen encoder makes of the rows and a linear model over their words are fitted first, and the
/// fine-tuned encoder takes the place of the frozen one only where it has the lower log-loss on rows that neither has learned from.
/// </remarks>
public readonly record struct FineTuning
{
    private FineTuning(FineTuningScope scope, int layers) => (Scope, Layers) = (scope, layers);

    /// <summary>
    /// The table decides, by its rows and classes: many classes fine-tune the top half of the layers by supervised contrast, few classes and
    /// many rows all layers by cross-entropy, others none. The default.
    /// </summary>
    public static FineTuning Auto => default;

    /// <summary>The encoder stays as it is; what is fitted takes seconds.</summary>
    public static FineTuning None { get; } = new(FineTuningScope.None, 0);

    /// <summary>All layers are trained; the tables of tokens and positions stay as they are.</summary>
    public static FineTuning AllLayers { get; } = new(FineTuningScope.All, int.MaxValue);

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

    /// <inheritdoc/>
    public override string ToString() => Scope switch
    {
        FineTuningScope.None => nameof(None),
        FineTuningScope.All => nameof(AllLayers),
        FineTuningScope.Top => $"{nameof(TopLayers)}({Layers})",
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

    /// <summary>Some layers.</summary>
    Top,

    /// <summary>All layers.</summary>
    All,
}
