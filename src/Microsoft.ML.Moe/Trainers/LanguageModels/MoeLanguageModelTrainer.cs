using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>
/// The <see cref="IEstimator{TTransformer}"/> that fine-tunes a published causal language model, such as OLMoE, Mixtral or Qwen: on
/// completions of prompts, whose loss alone counts, or on plain text.
/// </summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// To create this estimator, use
/// [MoeLanguageModel](xref:Microsoft.ML.MoeTextCatalog.MoeLanguageModel(Microsoft.ML.TransformsCatalog.TextTransforms,Microsoft.ML.Moe.PublishedModel,System.String,System.String,System.String))
/// or
/// [MoeLanguageModel(Options)](xref:Microsoft.ML.MoeTextCatalog.MoeLanguageModel(Microsoft.ML.TransformsCatalog.TextTransforms,Microsoft.ML.Moe.MoeLanguageModelTrainer.Options)).
///
/// ### Input and output columns
/// Columns of the prompt must be of <xref:Microsoft.ML.Data.TextDataViewType>; missing text counts as empty. The column of completions is of the
/// same type, or a vector of it; rows without one are left out of training, and the column is not needed afterwards. The columns of
/// <xref:Microsoft.ML.Moe.MoeTextGenerationTransformer> are added.
///
/// ### Trainer characteristics
/// | Characteristic | Value |
/// | -- | -- |
/// | Machine learning task | Language modelling |
/// | Is normalization required? | No |
/// | Is caching required? | No |
/// | Required NuGet in addition to Microsoft.ML | MlNetMoe |
/// | Exportable to ONNX | No |
///
/// ### Training algorithm details
/// Each token of a completion is learned from those before it, and so is the end token; tokens of the prompt are read only. While training,
/// uncertain tokens may go to all experts (GW-MoE, arXiv 2406.12375), and the experts may have another router (USMoE, arXiv 2503.22996).
/// The same seed gives the same model, whatever the number of threads. ]]></format>
/// </remarks>
/// <example>
/// <code language="csharp"><![CDATA[
/// var options = new MoeLanguageModelTrainer.Options
/// {
///     Model = PublishedModel.FromFolder("models/olmoe-instruct"),
///     PromptColumnName = "Question",
///     CompletionColumnName = "Answer",
///     UsesChatTemplate = true,
/// };
/// var model = mlContext.Transforms.Text.MoeLanguageModel(options).Fit(questions);
/// ]]></code>
/// </example>
public sealed partial class MoeLanguageModelTrainer : MoeTrainer<MoeLanguageModelTrainer.Options, MoeTextGenerationTransformer>
{
    internal MoeLanguageModelTrainer(IHostEnvironment environment, Options options)
        : base(environment, options)
    {
    }

    private protected override MoeTextGenerationTransformer Fit(IDataView input, IHostEnvironment environment, FitRun run) =>
        new GeneratorFit(run, Settings) { Wanted = (false, nameof(MoeTextCatalog.MoeTextToText)) }
            .Write(input, Settings, Settings.CompletionColumnName);

    private protected override SchemaShape Promise(NamedShape inputSchema)
    {
        TaughtTexts.Check(inputSchema, Settings.ToPrompt(), Settings.CompletionColumnName);
        return Settings.Columns.AddTo(inputSchema.Schema);
    }
}
