using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe;

/// <summary>
/// Tells classes by what a model that <see cref="MoeTextToTextClassificationTrainer"/> has trained would write. Saved and loaded with
/// <c>mlContext.Model</c>, without any registration; the label column is not needed for predictions.
/// </summary>
/// <inheritdoc cref="MoeTransformer" path="/remarks"/>
public sealed class MoeTextToTextClassificationTransformer : MoeTransformer, ISavedTransformer<MoeTextToTextClassificationTransformer>
{
    private readonly TextGenerator _generator;
    private readonly ClassTextScorer _scorer;
    private readonly ClassTextModel _saved;

    private MoeTextToTextClassificationTransformer(FittedModel model, TextGenerator generator, ClassTextScorer scorer, ClassTextModel saved)
        : base(model, new ClassesOutput(saved.Columns, scorer.Settings.Texts.Count, saved.Labels, model.Experts)) =>
        (_generator, _scorer, _saved) = (generator, scorer, saved);

    /// <summary>What the model writes for each class, in the order of the label's keys.</summary>
    public IReadOnlyList<string> ClassTexts => _scorer.Settings.Texts;

    /// <summary>What the model is called that training began with: its name on the hub, or its folder's path.</summary>
    public string ModelName => Model.Config.BaseModel?.Name ?? "";

    /// <summary>Tokenizer and defaults.</summary>
    internal TextGenerator Generator => _generator;

    static ModelRegistration ISavedTransformer<MoeTextToTextClassificationTransformer>.Kind { get; } = new(
        "MOETTTCL",
        ModelRegistration.TextToTextClassifierLoader,
        (folder, transformer) => ((MoeTextToTextClassificationTransformer)transformer).Write(folder));

    internal override ModelRegistration Registration => KindOf<MoeTextToTextClassificationTransformer>();

    /// <summary>
    /// This transformer with another router over the same weights (USMoE without training, arXiv 2503.22996). Nothing is copied; both go on
    /// working side by side, each to be disposed.
    /// </summary>
    /// <param name="router">The router, as for <see cref="MoeTextGenerationTransformer.WithRouting"/>.</param>
    /// <exception cref="ArgumentException">
    /// The router does not fit the number of experts, or by it a later token changes what an earlier one gets.
    /// </exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public MoeTextToTextClassificationTransformer WithRouting(Router router)
    {
        ArgumentNullException.ThrowIfNull(router);
        return Share(hold => new MoeTextToTextClassificationTransformer(Model.WithRouting(router, hold), _generator, _scorer, _saved));
    }

    /// <summary>
    /// Writes the model as a folder that Hugging Face's transformers loads, and <c>GenerateText</c> and trainings too, as
    /// <see cref="MoeTextGenerationTransformer.SaveHuggingFace"/> does. The classes are not in it: it is a model that writes their texts.
    /// </summary>
    /// <param name="folder">Path of the folder; made if it is not there. Files of the same names are replaced.</param>
    /// <param name="weights">What the weights are in the file; bfloat16 halves it and rounds.</param>
    /// <exception cref="InvalidOperationException">
    /// Transformers has no form for the model, or it has adapters beside its weights, which <see cref="Merged"/> works into them; the message
    /// says what it is.
    /// </exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public void SaveHuggingFace(string folder, ElementType weights = ElementType.Float32)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        OptionCheck.Saved(weights, nameof(weights));
        using var hold = (ModelLease<Model<EncodedText>>)Hold();
        GeneratorFolderWriter.Write(_generator, hold.Model, folder, weights);
    }

    /// <inheritdoc cref="MoeTextGenerationTransformer.Merged"/>
    public MoeTextToTextClassificationTransformer Merged() => Share(hold => new MoeTextToTextClassificationTransformer(
        Model.Merged(hold), _generator, _scorer, _saved with { Source = null, Weights = WeightPrecision.AsStored }));

    /// <inheritdoc cref="MoeTextGenerationTransformer.SaveAdapters"/>
    public void SaveAdapters(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        using var hold = Hold();
        Model.SaveAdapters(folder);
    }

    /// <summary>Tells what the routers do with the prompts of a table.</summary>
    /// <param name="data">The table; no label is needed.</param>
    /// <param name="options">What the report shall hold; null for the defaults.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    public RoutingReport ReportRouting(
        IDataView data, RoutingReportOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        using var hold = Hold();
        return Model.ReportRouting(data, options, cancellationToken);
    }

    static MoeTextToTextClassificationTransformer ISavedTransformer<MoeTextToTextClassificationTransformer>.Read(
        ModelFolderReader folder) => ClassTextZip.Read(folder);

    /// <summary>Makes the transformer, which owns the model from then on.</summary>
    internal static MoeTextToTextClassificationTransformer Create(
        SharedModel<Model<EncodedText>> shared, TextGenerator generator, ClassTextScorer scorer, ClassTextModel saved)
    {
        var rows = new PromptRows(saved.Prompt.CreateEncoder(generator, saved.MaximumPromptTokens));
        return new MoeTextToTextClassificationTransformer(
            new FittedModel<EncodedText>(shared, rows, scorer.CreateResults), generator, scorer, saved);
    }

    private void Write(ModelFolderWriter folder) => ClassTextZip.Write(folder, Model, _generator, _scorer, _saved);
}

/// <summary>What a transformer that tells classes by their texts keeps of its options.</summary>
/// <param name="Columns">Names of the columns that are written.</param>
/// <param name="Labels">Values behind the label's keys, if any.</param>
/// <param name="Prompt">How rows become prompts.</param>
/// <param name="MaximumPromptTokens">Longest prompt, special tokens counted.</param>
/// <param name="Weights">What the weights are in memory.</param>
/// <param name="Source">Where the weights stay; null where the model zip holds them.</param>
internal sealed record ClassTextModel(
    ClassTextColumns Columns,
    LabelValues? Labels,
    PromptSettings Prompt,
    int? MaximumPromptTokens,
    WeightPrecision Weights,
    PublishedModel? Source);
