using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe;

/// <summary>What the trainers have in common that fine-tune a published model that writes text.</summary>
public abstract class MoeGeneratorOptions : MoeTrainerOptions
{
    // null where it was not set
    private TextMetric? _metric;

    private protected MoeGeneratorOptions() => Take(new GeneratorTrainingConfig());

    /// <summary>
    /// The model that training begins with. Needed. Adapters beside its weights (<see cref="PublishedModel.WithAdapters"/>) are what learns;
    /// those that are merged are part of the weights.
    /// </summary>
    public PublishedModel? Model { get; set; }

    /// <summary>
    /// Another router for the experts, while training and afterwards (USMoE, arXiv 2503.22996). null, the default, for the model's own. Of
    /// a causal model, and in the decoder of an encoder–decoder, Unified is within <see cref="RoutingScope.Prefix"/> where its scope is a whole
    /// sequence.
    /// </summary>
    public Router? Router { get; set; }

    /// <summary>
    /// Whether the routers stay as they are, and what adapters are beside them, as in the fine-tuning of the GW-MoE paper. Default false.
    /// </summary>
    public bool FreezeRouter { get; set; }

    /// <summary>
    /// Peak learning rate of the routers, or of the adapters beside them, at least 0; 0 freezes them. null, the default, takes
    /// <see cref="MoeTrainerOptions.LearningRate"/>.
    /// </summary>
    public float? RouterLearningRate { get; set; }

    /// <summary>
    /// Peak learning rate of the experts, or of the adapters beside them, at least 0; 0 freezes them. null, the default, takes
    /// <see cref="MoeTrainerOptions.LearningRate"/>.
    /// </summary>
    public float? ExpertLearningRate { get; set; }

    /// <summary>
    /// Peak learning rate of the token table, beside which adapters never are, at least 0; 0 freezes it. null, the default, takes
    /// <see cref="MoeTrainerOptions.LearningRate"/>.
    /// </summary>
    public float? EmbeddingLearningRate { get; set; }

    /// <summary>AdamW's decay of the first moment, within [0, 1). Default 0.9.</summary>
    public float Beta1 { get; set; }

    /// <summary>AdamW's decay of the second moment, within [0, 1). Default 0.999.</summary>
    public float Beta2 { get; set; }

    /// <summary>
    /// Whether an expert to which no token of a step came stays as it is, without decay and without a step of its moments. Default true.
    /// </summary>
    public bool SkipsIdleExperts { get; set; }

    /// <summary>Dropout rate everywhere in the model, within [0, 1). null, the default, takes what the model's files say.</summary>
    public float? Dropout { get; set; }

    /// <summary>
    /// Coefficient of the routers' load-balancing loss, within [0, 1000]; 0 leaves it out. null, the default, takes what the model's files
    /// say.
    /// </summary>
    public float? LoadBalancingCoefficient { get; set; }

    /// <summary>
    /// Coefficient of the router z-loss, within [0, 1000]; 0 leaves it out. null, the default, takes what the model's files say.
    /// </summary>
    public float? RouterZLossCoefficient { get; set; }

    /// <summary>
    /// Low-rank adapters, which alone learn, beside the model's matrices (LoRA, arXiv 2106.09685): with a fraction of the memory, and over
    /// weights as they are stored. null, the default, trains the weights themselves, or the adapters that <see cref="Model"/> has beside them.
    /// </summary>
    public LowRankAdaptation? Adaptation { get; set; }

    /// <summary>
    /// Whether adapters are worked into the weights after training. false keeps them beside the weights, which stay in the model's folder:
    /// a model zip then holds the adapters and refers to the folder, and they can be written for the library peft. Default true; of no
    /// effect without adapters.
    /// </summary>
    public bool MergesAdapters { get; set; } = true;

    /// <summary>
    /// What the weights are in memory while adapters learn beside them. Default <see cref="WeightPrecision.AsStored"/>. Without adapters they
    /// learn themselves, in single precision.
    /// </summary>
    public WeightPrecision Weights { get; set; } = WeightPrecision.AsStored;

    /// <summary>
    /// GW-MoE fine-tuning (arXiv 2406.12375): tokens whose router is uncertain are sent to all experts while training, so that whichever
    /// expert such a token meets later knows it; writing afterwards costs what it always costs. null, the default, trains with the router
    /// alone. Of JetMoE, whose attention has experts too, the MoE layers take part and the attention does not.
    /// </summary>
    public GlobalWorkspaceSettings? GlobalWorkspace { get; set; }

    /// <summary>
    /// Rows by which the best epoch is chosen, with the same columns as the training set. null, the default, draws
    /// <see cref="MoeTrainerOptions.ValidationShare"/> of the training rows.
    /// </summary>
    public IDataView? ValidationSet { get; set; }

    /// <summary>
    /// Steps after which the validation rows are evaluated within an epoch too. At least 1. null, the default, evaluates them after each
    /// epoch.
    /// </summary>
    public int? EvaluationSteps { get; set; }

    /// <summary>
    /// Whether a step's rows are of similar length, so that less is computed for the longest of them; the seed alone decides which. Default
    /// true.
    /// </summary>
    public bool BatchesByLength { get; set; }

    /// <summary>
    /// By what the best epoch is chosen. Default <see cref="TextMetric.Loss"/>, or what a preset says where there are validation rows; any but the
    /// loss has the model answer <see cref="MetricRows"/> of the validation rows after each epoch, and needs such rows where it is set.
    /// </summary>
    public TextMetric Metric
    {
        get => _metric ?? (HasValidation ? UsualMetric : TextMetric.Loss);
        set => _metric = value;
    }

    /// <summary>
    /// Validation rows that are answered for <see cref="Metric"/>, evenly spread over the table, so that one in the order of its classes gives
    /// rows of all. At least 1. Default 200.
    /// </summary>
    public int MetricRows { get; set; } = 200;

    /// <summary>
    /// Rows that are answered or scored at the same time, within [1, 4096]. Default 16; more is faster and takes more memory.
    /// </summary>
    public int ScoringBatchSize { get; set; } = 16;

    internal override IDataView? ValidationRows { set => ValidationSet = value; }

    /// <summary>What <see cref="Metric"/> is where it was not set and there are validation rows.</summary>
    private protected TextMetric UsualMetric { get; set; } = TextMetric.Loss;

    private protected override bool HasValidation => base.HasValidation || ValidationSet is not null;

    internal override IEnumerable<(string Option, string Reason)> WithoutEffect()
    {
        foreach (var option in base.WithoutEffect())
            yield return option;
        if (!TrainsAdapters)
        {
            foreach (var option in Changed(nameof(MergesAdapters), nameof(Weights)))
                yield return (option, $"{nameof(Adaptation)} is null");
        }

        if (ValidationSet is not null && Changed(nameof(ValidationShare)).Any())
            yield return (nameof(ValidationShare), $"{nameof(ValidationSet)} is what is validated with");
        if (FreezeRouter && RouterLearningRate > 0f)
            yield return (nameof(RouterLearningRate), $"{nameof(FreezeRouter)} is set");
        if (Metric == TextMetric.Loss && Changed(nameof(MetricRows)).Any())
            yield return (nameof(MetricRows), $"{nameof(Metric)} is {nameof(TextMetric.Loss)}");
    }

    private protected override string HowToValidate => $"set {nameof(ValidationSet)} or {nameof(ValidationShare)}";

    /// <summary>How rows become prompts.</summary>
    internal abstract PromptSettings ToPrompt();

    /// <summary>Longest prompt in tokens, with the option that says so.</summary>
    internal abstract (string Option, int Value) LongestSource { get; }

    /// <summary>Longest target in tokens, with the option that says so.</summary>
    internal abstract (string Option, int Value) LongestTarget { get; }

    /// <summary>How the model is trained.</summary>
    internal GeneratorTrainingConfig ToGeneratorConfig() => new()
    {
        Training = ToTrainingConfig(),
        RouterLearningRate = RouterLearningRate,
        ExpertLearningRate = ExpertLearningRate,
        EmbeddingLearningRate = EmbeddingLearningRate,
        Beta1 = Beta1,
        Beta2 = Beta2,
        Dropout = Dropout,
        LoadBalancingCoefficient = LoadBalancingCoefficient,
        RouterZLossCoefficient = RouterZLossCoefficient,
        BatchesByLength = BatchesByLength,
        SkipsIdleExperts = SkipsIdleExperts,
        Adaptation = Adaptation,
    };

    /// <summary>What the weights are in memory while they, or adapters beside them, learn.</summary>
    internal WeightPrecision PrecisionOfWeights => TrainsAdapters ? Weights : WeightPrecision.Float32;

    /// <summary>What the weights of the trained model are in memory; those with adapters in them are no longer int8.</summary>
    internal WeightPrecision PrecisionAfterwards =>
        (TrainsAdapters && MergesAdapters) || Model is { MergesAdapters: true } ? WeightPrecision.AsStored : PrecisionOfWeights;

    /// <summary>Where the weights stay once the model is trained; null where they are its own.</summary>
    internal PublishedModel? SourceOfWeights => TrainsAdapters && !MergesAdapters && Model is { MergesAdapters: false } ? Model : null;

    /// <summary>Whether adapters learn, new ones or those of the model, in place of the weights.</summary>
    private bool TrainsAdapters => Adaptation is not null || Model is { KeepsAdapters: true };

    internal override TrainingConfig ToTrainingConfig() => base.ToTrainingConfig() with
    {
        LabelSmoothing = 0f,
        GlobalWorkspace = GlobalWorkspace,
        FreezeRouter = FreezeRouter,
        EvaluationSteps = EvaluationSteps,
    };

    /// <summary>Takes over how a model is trained.</summary>
    private protected void Take(GeneratorTrainingConfig config)
    {
        var training = config.Training;
        (MaxEpochs, BatchSize, AccumulationSteps) = (training.MaxEpochs, training.BatchSize, training.AccumulationSteps);
        (LearningRate, WeightDecay, WarmupShare) = (training.LearningRate, training.WeightDecay, training.WarmupShare);
        (Decay, MaxGradientNorm) = (training.Decay, training.MaxGradientNorm);
        (GlobalWorkspace, FreezeRouter) = (training.GlobalWorkspace, training.FreezeRouter);
        (RouterLearningRate, ExpertLearningRate, EmbeddingLearningRate) =
            (config.RouterLearningRate, config.ExpertLearningRate, config.EmbeddingLearningRate);
        (Beta1, Beta2, Dropout, BatchesByLength) = (config.Beta1, config.Beta2, config.Dropout, config.BatchesByLength);
        (SkipsIdleExperts, Adaptation) = (config.SkipsIdleExperts, config.Adaptation);
        (LoadBalancingCoefficient, RouterZLossCoefficient) = (config.LoadBalancingCoefficient, config.RouterZLossCoefficient);
    }

    private protected override void CheckTask()
    {
        if (Model is null)
        {
            throw new ArgumentException(
                $"{nameof(Model)} is null: give {nameof(PublishedModel)}.{nameof(PublishedModel.FromFolder)}(path).", nameof(Model));
        }

        if (Adaptation is not null && Model.KeepsAdapters)
        {
            throw new ArgumentException(
                $"{nameof(Adaptation)} makes new adapters, but {nameof(Model)} has adapters beside its weights: leave {nameof(Adaptation)} null "
                + $"to go on training these, or merge them first, {nameof(PublishedModel.WithAdapters)}(path, merges: true).",
                nameof(Adaptation));
        }

        OptionCheck.Range(ScoringBatchSize, 1, 4096, nameof(ScoringBatchSize));
        ToPrompt().Check();
        _ = ToGeneratorConfig();
        OptionCheck.Defined(Weights, nameof(Weights));
        OptionCheck.Defined(Metric, nameof(Metric));
        OptionCheck.Range(MetricRows, 1, int.MaxValue, nameof(MetricRows));
        if (Metric != TextMetric.Loss && !HasValidation)
            throw new ArgumentException($"{nameof(Metric)} = {Metric} needs validation rows: {HowToValidate}.", nameof(Metric));
        if (EvaluationSteps is not null && !HasValidation)
            throw new ArgumentException($"{nameof(EvaluationSteps)} needs validation rows: {HowToValidate}.", nameof(EvaluationSteps));
        if (!Metrics.Contains(Metric))
        {
            throw new ArgumentException(
                $"{nameof(Metric)} = {Metric} is not one of {string.Join(", ", Metrics)}, which there are here.", nameof(Metric));
        }
    }

    /// <summary>By what the best epoch can be chosen.</summary>
    private protected abstract IReadOnlyList<TextMetric> Metrics { get; }

    /// <summary>The columns that are read of a row.</summary>
    /// <param name="prompt">The prompt that names them; null for one column alone.</param>
    /// <param name="column">That column.</param>
    /// <param name="columnOption">The option that names it.</param>
    private protected static ColumnNames PromptNames(PromptTemplate? prompt, string? column, string columnOption) => prompt is null
        ? new ColumnNames().Read(column, columnOption)
        : prompt.Columns.Aggregate(new ColumnNames(), (names, name) => names.Read(name, "Prompt"));
}
