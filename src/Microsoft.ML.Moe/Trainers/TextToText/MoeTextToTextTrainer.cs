using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>
/// The <see cref="IEstimator{TTransformer}"/> that fine-tunes a published encoder–decoder, such as Switch Transformers or T5, to write one
/// text to another: summaries, answers, translations, classes by their names.
/// </summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// To create this estimator, use
/// [MoeTextToText](xref:Microsoft.ML.MoeTextCatalog.MoeTextToText(Microsoft.ML.TransformsCatalog.TextTransforms,Microsoft.ML.Moe.PublishedModel,System.String,System.String,System.String))
/// or
/// [MoeTextToText(Options)](xref:Microsoft.ML.MoeTextCatalog.MoeTextToText(Microsoft.ML.TransformsCatalog.TextTransforms,Microsoft.ML.Moe.MoeTextToTextTrainer.Options)).
/// For classes with scores, there is one in the catalog of multiclass trainers: <xref:Microsoft.ML.Moe.MoeTextToTextClassificationTrainer>.
///
/// ### Input and output columns
/// Source columns must be of <xref:Microsoft.ML.Data.TextDataViewType>; missing text counts as empty. The target column is of the same type, or a
/// vector of it; rows without a target are left out of training, and the column is not needed afterwards. The columns of
/// <xref:Microsoft.ML.Moe.MoeTextGenerationTransformer> are added.
///
/// ### Trainer characteristics
/// | Characteristic | Value |
/// | -- | -- |
/// | Machine learning task | Sequence-to-sequence learning |
/// | Is normalization required? | No |
/// | Is caching required? | No |
/// | Required NuGet in addition to Microsoft.ML | MlNetMoe |
/// | Exportable to ONNX | No |
///
/// ### Training algorithm details
/// The decoder learns each token of the target from those before it and the source (Raffel et al. 2020, "Exploring the Limits of Transfer
/// Learning with a Unified Text-to-Text Transformer"). While training, uncertain tokens may go to all experts (GW-MoE, arXiv 2406.12375),
/// and the experts may have another router (USMoE, arXiv 2503.22996). The same seed gives the same model, whatever the number of threads.
/// ]]></format>
/// </remarks>
/// <example>
/// <code language="csharp"><![CDATA[
/// var options = MoeTextToTextTrainer.Options.Summarisation("Article");
/// (options.Model, options.TargetColumnName) = (PublishedModel.FromFolder("models/switch-base-8"), "Summary");
/// var model = mlContext.Transforms.Text.MoeTextToText(options).Fit(articles);
/// ]]></code>
/// </example>
public sealed partial class MoeTextToTextTrainer : MoeTrainer<MoeTextToTextTrainer.Options, MoeTextGenerationTransformer>
{
    internal MoeTextToTextTrainer(IHostEnvironment environment, Options options)
        : base(environment, options)
    {
    }

    private protected override MoeTextGenerationTransformer Fit(IDataView input, IHostEnvironment environment, FitRun run) =>
        new GeneratorFit(run, Settings) { Wanted = (true, nameof(MoeTextCatalog.MoeLanguageModel)) }
            .Write(input, Settings, Settings.TargetColumnName);

    private protected override SchemaShape Promise(NamedShape inputSchema)
    {
        TaughtTexts.Check(inputSchema, Settings.ToPrompt(), Settings.TargetColumnName);
        return Settings.Columns.AddTo(inputSchema.Schema);
    }
}
