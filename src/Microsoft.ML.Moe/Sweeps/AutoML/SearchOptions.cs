using Microsoft.ML.SearchSpace;

namespace Microsoft.ML.Moe;

/// <summary>
/// What Microsoft.ML.AutoML may change of a <see cref="MoeTextClassificationTrainer"/>. AutoML takes options through JSON and sweeps properties with
/// attributes alone, so this class has nothing else; columns are set where the trainer is made.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// var estimator = mlContext.Auto().CreateSweepableEstimator(
///     (ml, o) => ml.MulticlassClassification.Trainers.MoeTextClassifier(o.ToOptions(textColumnName: "Text")),
///     new SearchSpace<MoeTextSearchOption>());
/// ]]></code>
/// </example>
public sealed class MoeTextSearchOption
{
    /// <inheritdoc cref="MoeTrainerOptions.LearningRate"/>
    [Range(3e-4f, 5e-3f, 1e-3f, true)]
    public float LearningRate { get; set; } = 1e-3f;

    /// <inheritdoc cref="MoeTextClassificationTrainer.Options.EmbeddingLearningRate"/>
    [Range(2e-3f, 3e-2f, 1e-2f, true)]
    public float EmbeddingLearningRate { get; set; } = 1e-2f;

    /// <inheritdoc cref="MoeTrainerOptions.WeightDecay"/>
    [Range(1e-3f, 0.3f, 0.05f, true)]
    public float WeightDecay { get; set; } = 0.05f;

    /// <inheritdoc cref="MoeEncoderOptions.Dropout"/>
    [Range(0f, 0.4f, 0.2f)]
    public float Dropout { get; set; } = 0.2f;

    /// <inheritdoc cref="MoeTextClassificationTrainer.Options.TokenMaskRate"/>
    [Range(0f, 0.3f, 0.1f)]
    public float TokenMaskRate { get; set; } = 0.1f;

    /// <inheritdoc cref="MoeEncoderOptions.Layers"/>
    [Range(1, 3, 2)]
    public int Layers { get; set; } = 2;

    /// <inheritdoc cref="MoeEncoderOptions.Experts"/>
    [Range(2, 8, 4)]
    public int Experts { get; set; } = 4;

    /// <summary>Options of the trainer with these values.</summary>
    /// <param name="labelColumnName">Column of the label, a key.</param>
    /// <param name="textColumnName">Column of the text.</param>
    public MoeTextClassificationTrainer.Options ToOptions(string labelColumnName = "Label", string textColumnName = "Sentence1") => new()
    {
        LabelColumnName = labelColumnName,
        Sentence1ColumnName = textColumnName,
        LearningRate = LearningRate,
        EmbeddingLearningRate = EmbeddingLearningRate,
        WeightDecay = WeightDecay,
        Dropout = Dropout,
        TokenMaskRate = TokenMaskRate,
        Layers = Layers,
        Experts = Experts,
    };
}

/// <summary>What Microsoft.ML.AutoML may change of a <see cref="MoeImageClassificationTrainer"/>; see <see cref="MoeTextSearchOption"/>.</summary>
public sealed class MoeImageSearchOption
{
    /// <inheritdoc cref="MoeTrainerOptions.LearningRate"/>
    [Range(3e-4f, 5e-3f, 1e-3f, true)]
    public float LearningRate { get; set; } = 1e-3f;

    /// <inheritdoc cref="MoeTrainerOptions.WeightDecay"/>
    [Range(1e-3f, 0.3f, 0.05f, true)]
    public float WeightDecay { get; set; } = 0.05f;

    /// <inheritdoc cref="MoeEncoderOptions.Dropout"/>
    [Range(0f, 0.4f, 0.1f)]
    public float Dropout { get; set; } = 0.1f;

    /// <inheritdoc cref="MoeImageClassificationTrainer.Options.EraseRate"/>
    [Range(0f, 0.5f, 0.25f)]
    public float EraseRate { get; set; } = 0.25f;

    /// <inheritdoc cref="MoeEncoderOptions.Layers"/>
    [Range(1, 4, 2)]
    public int Layers { get; set; } = 2;

    /// <inheritdoc cref="MoeEncoderOptions.Experts"/>
    [Range(2, 8, 4)]
    public int Experts { get; set; } = 4;

    /// <summary>Options of the trainer with these values.</summary>
    /// <param name="labelColumnName">Column of the label, a key.</param>
    /// <param name="featureColumnName">Column of the image.</param>
    public MoeImageClassificationTrainer.Options ToOptions(string labelColumnName = "Label", string featureColumnName = "Features") => new()
    {
        LabelColumnName = labelColumnName,
        FeatureColumnName = featureColumnName,
        LearningRate = LearningRate,
        WeightDecay = WeightDecay,
        Dropout = Dropout,
        EraseRate = EraseRate,
        Layers = Layers,
        Experts = Experts,
    };
}

/// <summary>
/// What Microsoft.ML.AutoML may change of the trainers on features: <see cref="MoeFeatureClassificationTrainer"/>,
/// <see cref="MoeBinaryClassificationTrainer"/> and <see cref="MoeRegressionTrainer"/>; see <see cref="MoeTextSearchOption"/>.
/// </summary>
public sealed class MoeTableSearchOption
{
    private static readonly MoeRegressionTrainer.Options Defaults = new();

    /// <inheritdoc cref="MoeTrainerOptions.LearningRate"/>
    [Range(3e-4f, 5e-3f, true)]
    public float LearningRate { get; set; } = Defaults.LearningRate;

    /// <inheritdoc cref="MoeTrainerOptions.WeightDecay"/>
    [Range(1e-5f, 0.1f, 3e-4f, true)]
    public float WeightDecay { get; set; } = Defaults.WeightDecay;

    /// <inheritdoc cref="MoeEncoderOptions.Dropout"/>
    [Range(0f, 0.4f)]
    public float Dropout { get; set; } = Defaults.Dropout;

    /// <inheritdoc cref="MoeFeatureOptions.Members"/>
    [Range(4, 32, 8, true)]
    public int Members { get; set; } = Defaults.Members;

    /// <inheritdoc cref="MoeEncoderOptions.Experts"/>
    [Range(2, 16, 8, true)]
    public int Experts { get; set; } = Defaults.Experts;

    /// <summary>Options of a trainer with these values.</summary>
    /// <typeparam name="TOptions">The trainer's options.</typeparam>
    /// <param name="labelColumnName">Column of the label.</param>
    /// <param name="featureColumnName">Column of the features.</param>
    public TOptions ToOptions<TOptions>(string labelColumnName = "Label", string featureColumnName = "Features")
        where TOptions : MoeFeatureOptions, new() => new()
    {
        LabelColumnName = labelColumnName,
        FeatureColumnName = featureColumnName,
        LearningRate = LearningRate,
        WeightDecay = WeightDecay,
        Dropout = Dropout,
        Members = Members,
        Experts = Experts,
    };
}
