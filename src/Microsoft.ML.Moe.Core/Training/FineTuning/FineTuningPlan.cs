namespace Microsoft.ML.Moe.Training;

/// <summary>How a published encoder is fine-tuned on a table.</summary>
/// <param name="Loss">What is minimised.</param>
/// <param name="Layers">Layers that are trained, from the top.</param>
/// <param name="Epochs">Passes over the rows.</param>
/// <param name="BatchSize">Rows of a step.</param>
/// <param name="LearningRate">Peak learning rate of the topmost layer.</param>
/// <param name="HeadLearningRate">Peak learning rate of the head.</param>
/// <param name="LayerDecay">What a layer's rate is of that of the layer above.</param>
/// <param name="WeightDecay">Decoupled weight decay of matrices.</param>
internal sealed record FineTuningPlan(
    FineTuningLoss Loss,
    int Layers,
    int Epochs,
    int BatchSize,
    float LearningRate,
    float HeadLearningRate,
    float LayerDecay,
    float WeightDecay)
{
    /// <summary>Classes up to which cross-entropy is minimised.</summary>
    private const int FewClasses = 20;

    /// <summary>Rows from which few classes are worth it.</summary>
    private const int ManyRows = 2000;

    /// <summary>Rows from which pairs are worth it: with fewer, the counts of shared words are better alone.</summary>
    private const int ManyPairs = 3000;

    /// <summary>Images from which fine-tuning is worth a try.</summary>
    private const int ManyImages = 500;

    /// <summary>Passes over images, of a transformer.</summary>
    private const int EpochsOfImages = 3;

    /// <summary>Passes over images, of convolutions; all of them learn, and at a higher rate.</summary>
    private const int EpochsOfConvolutions = 6;

    /// <summary>Classes, two rows of each, in a batch of contrast.</summary>
    private const int ClassesOfBatch = 38;

    /// <summary>How often the contrast sees each class at least, twice each time.</summary>
    private const int Rounds = 25;

    /// <summary>
    /// Floating-point operations of a fine-tuning at most, where the table decides: about ten minutes on two cores. With more rows than that
    /// takes, a frozen encoder and a linear model have learned most of what there is.
    /// </summary>
    private const double MostFlops = 1e14;

    /// <summary>The plan for a table.</summary>
    /// <param name="wanted">What is asked for.</param>
    /// <param name="rows">Training rows.</param>
    /// <param name="classes">Classes.</param>
    /// <param name="layers">Layers of the encoder.</param>
    /// <param name="isPair">Whether rows are pairs of texts.</param>
    /// <param name="isLong">Whether many texts are longer than what is read at once.</param>
    /// <param name="flopsOfLayer">Floating-point operations of training one layer on all rows once; 0 where that does not matter.</param>
    /// <returns>The plan; null to leave the encoder as it is.</returns>
    public static FineTuningPlan? For(
        FineTuning wanted, int rows, int classes, int layers, bool isPair, bool isLong, double flopsOfLayer = 0)
    {
        if (wanted.Scope == FineTuningScope.None || layers == 0)
            return null;
        var isAuto = wanted.Scope == FineTuningScope.Auto;
        var loss = wanted.Loss ?? (classes > FewClasses && !isPair ? FineTuningLoss.Contrast : FineTuningLoss.CrossEntropy);
        var isContrast = loss == FineTuningLoss.Contrast;
        if (isAuto && (isLong || (!isContrast && rows < (isPair ? ManyPairs : ManyRows))))
            return null;
        var epochs = isContrast ? Math.Clamp((int)Math.Ceiling(2.0 * Rounds * classes / rows), 1, 20) : 2;
        var trained = !isAuto ? Math.Min(wanted.Layers, layers) : isContrast ? (layers + 1) / 2 : layers;
        // contrast is learned twice
        var flops = flopsOfLayer * trained * (isContrast ? 2 : 1);
        if (isAuto && !Affordable(wanted, flops, ref epochs))
            return null;
        return new FineTuningPlan(
            loss,
            trained,
            wanted.Epochs ?? epochs,
            wanted.BatchSize ?? (isContrast ? 2 * ClassesOfBatch : 32),
            wanted.LearningRate ?? (isContrast || isPair ? 2e-4f : 1.5e-4f),
            wanted.HeadLearningRate ?? (isContrast ? 5e-3f : 1e-3f),
            wanted.LayerDecay,
            wanted.WeightDecay);
    }

    /// <summary>
    /// The plan for a table of images: where the table decides, all layers of convolutions, or the top third of a transformer's, by cross-entropy.
    /// </summary>
    /// <param name="wanted">What is asked for.</param>
    /// <param name="rows">Training rows.</param>
    /// <param name="layers">Layers of the encoder.</param>
    /// <param name="isConvolutional">Whether they are convolutions.</param>
    /// <param name="flopsOfLayer">See <see cref="For"/>.</param>
    /// <returns>The plan; null to leave the encoder as it is.</returns>
    public static FineTuningPlan? ForImages(FineTuning wanted, int rows, int layers, bool isConvolutional, double flopsOfLayer)
    {
        if (wanted.Scope == FineTuningScope.None || layers == 0)
            return null;
        var isAuto = wanted.Scope == FineTuningScope.Auto;
        var isContrast = wanted.Loss == FineTuningLoss.Contrast;
        var epochs = isConvolutional ? EpochsOfConvolutions : EpochsOfImages;
        var trained = !isAuto ? Math.Min(wanted.Layers, layers) : isConvolutional ? layers : (layers + 2) / 3;
        if (isAuto && (rows < ManyImages || !Affordable(wanted, flopsOfLayer * trained * (isContrast ? 2 : 1), ref epochs)))
            return null;
        return new FineTuningPlan(
            wanted.Loss ?? FineTuningLoss.CrossEntropy,
            trained,
            wanted.Epochs ?? epochs,
            wanted.BatchSize ?? 32,
            wanted.LearningRate ?? (isConvolutional ? 3e-4f : 1e-4f),
            wanted.HeadLearningRate ?? 1e-3f,
            wanted.LayerDecay,
            wanted.WeightDecay);
    }

    /// <summary>
    /// Whether a fine-tuning takes no more than is taken where the table decides; with fewer epochs where these are left open.
    /// </summary>
    private static bool Affordable(FineTuning wanted, double flops, ref int epochs)
    {
        if (wanted.Epochs is null && epochs > 1 && flops * epochs > MostFlops)
            epochs = Math.Max(1, (int)(MostFlops / flops));
        return flops * (wanted.Epochs ?? epochs) <= MostFlops;
    }
}
