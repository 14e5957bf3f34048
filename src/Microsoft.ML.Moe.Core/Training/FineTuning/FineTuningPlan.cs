namespace Microsoft.ML.Moe.Training;

/// <summary>What a fine-tuning minimises.</summary>
internal enum FineTuningLoss
{
    /// <summary>Cross-entropy of the classes.</summary>
    CrossEntropy,

    /// <summary>
    /// Supervised contrast (Khosla et al. 2020): rows of a class are to lie close to each other, with half the cross-entropy beside it.
    /// </summary>
    Contrast,
}

/// <summary>How a published encoder is fine-tuned on a table.</summary>
/// <param name="Loss">What is minimised.</param>
/// <param name="Layers">Layers that are trained, from the top.</param>
/// <param name="Epochs">Passes over the rows.</param>
/// <param name="BatchSize">Rows of a step.</param>
/// <param name="LearningRate">Peak learning rate of the topmost layer.</param>
/// <param name="HeadLearningRate">Peak learning rate of the head.</param>
internal sealed record FineTuningPlan(
    FineTuningLoss Loss, int Layers, int Epochs, int BatchSize, float LearningRate, float HeadLearningRate)
{
    /// <summary>Classes up to which cross-entropy is minimised.</summary>
    private const int FewClasses = 20;

    /// <summary>Rows from which few classes are worth it.</summary>
    private const int ManyRows = 2000;

    /// <summary>Rows from which pairs are worth it: with fewer, the counts of shared words are better alone.</summary>
    private const int ManyPairs = 3000;

    /// <summary>Classes, two rows of each, in a batch of contrast.</summary>
    private const int ClassesOfBatch = 38;

    /// <summary>How often the contrast sees each class at least, twice each time.</summary>
    private const int Rounds = 25;

    /// <summary>The plan for a table.</summary>
    /// <param name="wanted">What is asked for.</param>
    /// <param name="rows">Training rows.</param>
    /// <param name="classes">Classes.</param>
    /// <param name="layers">Layers of the encoder.</param>
    /// <param name="isPair">Whether rows are pairs of texts.</param>
    /// <param name="isLong">Whether most texts are longer than what is read at once.</param>
    /// <returns>The plan; null to leave the encoder as it is.</returns>
    public static FineTuningPlan? For(FineTuning wanted, int rows, int classes, int layers, bool isPair, bool isLong)
    {
        if (wanted.Scope == FineTuningScope.None)
            return null;
        var isAuto = wanted.Scope == FineTuningScope.Auto;
        if (classes > FewClasses && !isPair)
        {
            if (isAuto && isLong)
                return null;
            var epochs = Math.Clamp((int)Math.Ceiling(2.0 * Rounds * classes / rows), 1, 20);
            return new FineTuningPlan(
                FineTuningLoss.Contrast, LayersOf(wanted, (layers + 1) / 2, layers), epochs, 2 * ClassesOfBatch, 2e-4f, 5e-3f);
        }

        if (isAuto && (isLong || rows < (isPair ? ManyPairs : ManyRows)))
            return null;
        return new FineTuningPlan(FineTuningLoss.CrossEntropy, LayersOf(wanted, layers, layers), 2, 32, isPair ? 2e-4f : 1.5e-4f, 1e-3f);
    }

    private static int LayersOf(FineTuning wanted, int automatic, int layers) =>
        wanted.Scope == FineTuningScope.Auto ? automatic : Math.Min(wanted.Layers, layers);
}
