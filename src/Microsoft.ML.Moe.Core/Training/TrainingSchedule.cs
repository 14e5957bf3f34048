namespace Microsoft.ML.Moe.Training;

/// <summary>How many steps a training takes, on how many examples each, and when it ends early.</summary>
/// <param name="Epochs">Passes over the examples.</param>
/// <param name="BatchSize">Examples for each step.</param>
/// <param name="AccumulationSteps">Parts that a batch is split into.</param>
/// <param name="LearningRate">Peak learning rate, to report.</param>
/// <param name="WarmupShare">Share of the steps over which it rises.</param>
/// <param name="Decay">How it falls.</param>
/// <param name="MaxGradientNorm">Largest joint norm of the dense gradients.</param>
/// <param name="Patience">Epochs without improvement after which to stop; null never stops early.</param>
/// <param name="Seed">Seeds the order of examples and each step's random numbers.</param>
internal sealed record TrainingSchedule(
    int Epochs,
    int BatchSize,
    int AccumulationSteps,
    float LearningRate,
    float WarmupShare,
    LearningRateDecay Decay,
    float MaxGradientNorm,
    int? Patience,
    int Seed)
{
    /// <summary>Steps after which the model is evaluated within an epoch; null evaluates it after each epoch alone.</summary>
    public int? EvaluationSteps { get; init; }

    /// <summary>d of the average of weights that takes their place; null for the last step's.</summary>
    public float? WeightAverage { get; init; }

    /// <summary>Options that can make the training diverge.</summary>
    public IReadOnlyList<OptionSize> Sizes { get; init; } = [];

    /// <summary>The schedule that a configuration asks for.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="epochs">Passes, where it leaves them open.</param>
    public static TrainingSchedule From(TrainingConfig config, int epochs) => new(
        config.MaxEpochs ?? epochs,
        config.BatchSize,
        config.AccumulationSteps,
        config.LearningRate,
        config.WarmupShare,
        config.Decay,
        config.MaxGradientNorm,
        config.EarlyStoppingPatience,
        config.Seed)
    {
        EvaluationSteps = config.EvaluationSteps,
        Parallel = config.DataParallel,
        WeightAverage = config.WeightAverage,
        Sizes =
        [
            new(nameof(config.LearningRate), config.LearningRate, 1e-3),
            new(nameof(config.EmbeddingLearningRate), config.EmbeddingLearningRate, 1e-2),
            new(nameof(config.WeightDecay), config.WeightDecay, 0.05),
        ],
    };

    /// <summary>How a batch is shared among ranks; null where this process trains alone.</summary>
    public DataParallel? Parallel { get; init; }

    /// <summary>Steps of an epoch.</summary>
    public int StepsPerEpoch(int examples) => (examples + BatchSize - 1) / BatchSize;

    /// <summary>Random numbers of one step: the same whether training came here in one go or was interrupted before.</summary>
    /// <param name="epoch">Number of the epoch.</param>
    /// <param name="step">Number of the step.</param>
    public Random RandomOf(int epoch, int step) => new(Mix(SeedOf(Seed, epoch), step));

    /// <summary>Random numbers of one part of a step, whichever rank computes it.</summary>
    public Random RandomOf(int epoch, int step, int shard) => new(Mix(Mix(SeedOf(Seed, epoch), step), shard));

    /// <summary>Seeds what is random in one epoch.</summary>
    public static int SeedOf(int seed, int epoch) => Mix(seed ^ 0x5EED, epoch);

    private static int Mix(int hash, int value)
    {
        // Murmur's finaliser: near seeds give far apart sequences
        var h = (uint)hash * 0x9E3779B1u + (uint)value;
        h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
        h = (h ^ (h >> 13)) * 0xC2B2AE35u;
        return (int)(h ^ (h >> 16));
    }
}

/// <summary>
/// Factor on the peak learning rate: a straight line up during warm-up, whose first step is one above 0, so that no step is wasted, then
/// the decay.
/// </summary>
/// <param name="decay">How it falls.</param>
/// <param name="totalSteps">Steps in all, at least 1.</param>
/// <param name="warmupShare">Share of the steps that belong to the warm-up, within [0, 1].</param>
internal sealed class LearningRateSchedule(LearningRateDecay decay, int totalSteps, float warmupShare)
{
    private readonly double _warmup = (double)totalSteps * warmupShare;

    private readonly Func<double, double> _fall = decay switch
    {
        LearningRateDecay.Cosine => LearningRateCurves.Fall(totalSteps - (double)totalSteps * warmupShare, LearningRateCurves.Cosine),
        LearningRateDecay.Linear => LearningRateCurves.Fall(totalSteps - (double)totalSteps * warmupShare, LearningRateCurves.Linear),
        LearningRateDecay.InverseSquareRoot => LearningRateCurves.InverseSquareRoot(Math.Max(1, (double)totalSteps * warmupShare)),
        _ => LearningRateCurves.Constant,
    };

    /// <summary>Factor of a step, within (0, 1].</summary>
    /// <param name="step">Number of the step from 0.</param>
    public float FactorAt(int step) => (float)(step < _warmup ? (step + 1) / (_warmup + 1) : _fall(step - _warmup));
}
