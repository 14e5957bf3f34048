using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// How a model that writes text is trained: an encoder–decoder from sources and what is to be written to them, a causal model from prompts
/// and what follows. The defaults are for fine-tuning.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// var config = GeneratorTrainingConfig.Summarisation;
/// config = config with { Training = config.Training with { MaxEpochs = 3, GlobalWorkspace = null } };
/// ]]></code>
/// </example>
public sealed record GeneratorTrainingConfig
{
    private const int PaperEpochs = 10;
    private const float PaperBalancing = 0.001f;

    /// <summary>
    /// GW-MoE's settings for classification as text (arXiv 2406.12375, released scripts): rate 1e-5, 32 rows, decay 0.1, router frozen, its
    /// z-loss 0 and load-balancing loss 0.001, <see cref="GlobalWorkspace.Glue"/>.
    /// </summary>
    public static GeneratorTrainingConfig Glue { get; } = OfPaper(1e-5f, 32, 0.1f, 0f, GlobalWorkspace.Glue);

    /// <summary>As <see cref="Glue"/>, for summaries: rate 5e-5 after a tenth of warm-up, 64 rows, decay 0.1.</summary>
    public static GeneratorTrainingConfig Summarisation { get; } = OfPaper(5e-5f, 64, 0.1f, 0.1f, GlobalWorkspace.Summarisation);

    /// <summary>As <see cref="Glue"/>, for answers to questions: rate 3e-5, 64 rows, no decay.</summary>
    public static GeneratorTrainingConfig QuestionAnswering { get; } = OfPaper(3e-5f, 64, 0f, 0f, GlobalWorkspace.QuestionAnswering);

    /// <summary>
    /// How the model is trained. By default a learning rate of 5e-5, which falls in a line to zero after a tenth of warm-up, 16 rows a step,
    /// decay 0.01, no label smoothing, and 3 passes where <see cref="TrainingConfig.MaxEpochs"/> is null. Its rate of embedding tables is
    /// not looked at: <see cref="EmbeddingLearningRate"/> is.
    /// </summary>
    public TrainingConfig Training
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Training));
    } = new()
    {
        LearningRate = 5e-5f,
        BatchSize = 16,
        WeightDecay = 0.01f,
        WarmupShare = 0.1f,
        Decay = LearningRateDecay.Linear,
        LabelSmoothing = 0f,
    };

    /// <summary>
    /// Low-rank adapters that learn in place of the weights, at <see cref="TrainingConfig.LearningRate"/>: those usual for adapters are higher,
    /// 1e-4 to 3e-4. Those of routers and experts obey <see cref="TrainingConfig.FreezeRouter"/>, <see cref="RouterLearningRate"/> and
    /// <see cref="ExpertLearningRate"/> as these do. The trained model has them beside the weights of the one that training starts from, which
    /// stay as they are, in any precision. null trains the weights, or the adapters of a model that has some. Default null.
    /// </summary>
    public LowRankAdaptation? Adaptation { get; init; }

    /// <summary>
    /// Peak learning rate of the routers, or of the adapters beside them, at least 0; 0 freezes them, as
    /// <see cref="TrainingConfig.FreezeRouter"/> does. null takes <see cref="TrainingConfig.LearningRate"/>. Default null.
    /// </summary>
    public float? RouterLearningRate { get; init => field = Rate(value, nameof(RouterLearningRate)); }

    /// <summary>
    /// Peak learning rate of the experts, or of the adapters beside them, at least 0; 0 freezes them. null as for the rest. Default null.
    /// </summary>
    public float? ExpertLearningRate { get; init => field = Rate(value, nameof(ExpertLearningRate)); }

    /// <summary>
    /// Peak learning rate of the token table, which scores tokens too where the model ties both, and of tables of positions, at least 0; 0
    /// freezes them. Adapters are never beside these. null as for the rest. Default null.
    /// </summary>
    public float? EmbeddingLearningRate { get; init => field = Rate(value, nameof(EmbeddingLearningRate)); }

    /// <summary>AdamW's decay of the first moment, within [0, 1). Default 0.9.</summary>
    public float Beta1 { get; init => field = OptionCheck.Rate(value, nameof(Beta1)); } = 0.9f;

    /// <summary>AdamW's decay of the second moment, within [0, 1). Default 0.999.</summary>
    public float Beta2 { get; init => field = OptionCheck.Rate(value, nameof(Beta2)); } = 0.999f;

    /// <summary>What AdamW adds to the root of the second moment, over 0. Default 1e-8.</summary>
    public float Epsilon { get; init => field = OptionCheck.Positive(value, nameof(Epsilon)); } = 1e-8f;

    /// <summary>
    /// Whether an expert to which no token of a step came stays as it is: no decay, no step of its moments, and nothing computed, as with the
    /// published code of Switch Transformers and most mixtures. If not, its gradient is zeros: its weights decay and its moments move it, as
    /// with OLMoE. Default true.
    /// </summary>
    public bool SkipsIdleExperts { get; init; } = true;

    /// <summary>
    /// Coefficient of the routers' load-balancing loss, within [0, 1000]; 0 leaves it out. null takes what the model's files say. Default
    /// null.
    /// </summary>
    public float? LoadBalancingCoefficient { get; init => field = OptionCheck.Range(value, 0f, 1000f, nameof(LoadBalancingCoefficient)); }

    /// <summary>Coefficient of the router z-loss, within [0, 1000]; 0 leaves it out. null takes what the model's files say. Default null.</summary>
    public float? RouterZLossCoefficient { get; init => field = OptionCheck.Range(value, 0f, 1000f, nameof(RouterZLossCoefficient)); }

    /// <summary>Dropout rate everywhere in the model, within [0, 1). null takes what the model's files say. Default null.</summary>
    public float? Dropout { get; init => field = value is { } rate ? OptionCheck.Rate(rate, nameof(Dropout)) : null; }

    /// <summary>
    /// Whether a step's rows are of similar length, so that less is computed for the longest of them: each epoch's random order is cut into
    /// stretches of 64 batches, a stretch is sorted by length and cut into batches, and those are shuffled again. The seed alone decides.
    /// Default true.
    /// </summary>
    public bool BatchesByLength { get; init; } = true;

    private static GeneratorTrainingConfig OfPaper(
        float learningRate, int batchSize, float weightDecay, float warmupShare, GlobalWorkspaceSettings workspace)
    {
        var config = new GeneratorTrainingConfig { LoadBalancingCoefficient = PaperBalancing, RouterZLossCoefficient = 0f };
        return config with
        {
            Training = config.Training with
            {
                LearningRate = learningRate,
                BatchSize = batchSize,
                MaxEpochs = PaperEpochs,
                WeightDecay = weightDecay,
                WarmupShare = warmupShare,
                FreezeRouter = true,
                GlobalWorkspace = workspace,
            },
        };
    }

    private static float? Rate(float? value, string option) => OptionCheck.Range(value, 0f, float.MaxValue, option);
}
