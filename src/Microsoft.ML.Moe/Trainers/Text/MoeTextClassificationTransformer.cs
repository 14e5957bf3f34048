using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe;

/// <summary>
/// Scores text with a classifier that <see cref="MoeTextClassificationTrainer"/> has trained. Saved and loaded with
/// <c>mlContext.Model</c>, without any registration; the label column is not needed for predictions.
/// </summary>
/// <inheritdoc cref="MoeTransformer" path="/remarks"/>
public sealed class MoeTextClassificationTransformer : MoeClassificationTransformer, ISavedTransformer<MoeTextClassificationTransformer>
{
    private readonly TextClassificationColumns _columns;

    internal MoeTextClassificationTransformer(
        TextClassificationColumns columns, FittedModel model, LabelValues? labels, TextTokenizer? tokenizer)
        : base(columns, model, labels)
    {
        _columns = columns;
        Tokenizer = tokenizer;
    }

    static ModelRegistration ISavedTransformer<MoeTextClassificationTransformer>.Kind { get; } = new(
        "MOETXTCL",
        ModelRegistration.TextClassifierLoader,
        (folder, transformer) => ModelZip.Write(folder, ((MoeTextClassificationTransformer)transformer).ToSaved()));

    /// <summary>The tokenizer that text goes through, if any.</summary>
    internal TextTokenizer? Tokenizer { get; }

    internal override ModelRegistration Registration => KindOf<MoeTextClassificationTransformer>();

    /// <inheritdoc/>
    public override MoeTextClassificationTransformer WithRouting(Router router)
    {
        ArgumentNullException.ThrowIfNull(router);
        return With(_columns, hold => Model.WithRouting(router, hold));
    }

    /// <inheritdoc/>
    public override MoeTextClassificationTransformer WithPrecision(InferencePrecision precision) =>
        With(_columns, hold => Model.WithPrecision(precision, hold));

    /// <inheritdoc/>
    public override MoeTextClassificationTransformer WithRouterEntropy(
        string? entropyColumnName = "RouterEntropy",
        string? uncertainColumnName = "Uncertain",
        double threshold = RoutingReportOptions.DefaultUncertainThreshold) =>
        With(WithUncertainty<TextClassificationColumns>(entropyColumnName, uncertainColumnName, threshold), Model.Again);

    static MoeTextClassificationTransformer ISavedTransformer<MoeTextClassificationTransformer>.Read(ModelFolderReader folder) =>
        ModelZip.Read<TextClassificationColumns, EncodedText, MoeTextClassificationTransformer>(
            folder,
            (config, weights, engine, tokenizer) => ModelFiles.LoadText(config, weights, engine, tokenizer?.OfModel),
            (columns, model) => new TextRows(columns.Sentence1, columns.Sentence2, (TextInput)model.Input),
            saved => new MoeTextClassificationTransformer(saved.Columns, saved.Model, saved.Labels, saved.Tokenizer));

    private SavedModel<TextClassificationColumns> ToSaved() => new(_columns, Model, Labels, Tokenizer);

    private MoeTextClassificationTransformer With(TextClassificationColumns columns, Func<IDisposable, FittedModel> change) =>
        Share(hold => new MoeTextClassificationTransformer(columns, change(hold), Labels, Tokenizer));
}
