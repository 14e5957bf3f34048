using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe;

/// <summary>How texts are generated. With the defaults everything is as the model's own files say.</summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// var options = new GenerateTextOptions
/// {
///     Generation = new GenerationOptions { MaximumNewTokens = 60, Beams = 4 },
///     LogProbabilityColumnName = "LogProbability",
/// };
/// ]]></code>
/// </example>
public sealed record GenerateTextOptions
{
    /// <summary>
    /// How an answer is found, how long it may be and what ends it. null, the default, takes what <c>generation_config.json</c> says. End
    /// tokens are the model's own where none are given.
    /// </summary>
    public GenerationOptions? Generation { get; init; }

    /// <summary>
    /// Another router for the model's experts (USMoE without training, arXiv 2503.22996). null, the default, for its own. Only for a mixture.
    /// Of a causal model, and in the decoder of an encoder–decoder, Unified is within <see cref="RoutingScope.Prefix"/> where its scope is a whole
    /// sequence, and other routers by which later tokens change what earlier ones get are refused, unless
    /// <see cref="Routing.Router.AllowsLookahead"/> allows them.
    /// </summary>
    public Router? Router { get; init; }

    /// <summary>What the weight matrices are in memory. Default <see cref="WeightPrecision.AsStored"/>.</summary>
    public WeightPrecision Weights { get; init => field = OptionCheck.Defined(value, nameof(Weights)); } = WeightPrecision.AsStored;

    /// <summary>
    /// Longest prompt in tokens, special ones counted, at least 1; of a longer one the beginning is cut off, and of an encoder–decoder's the
    /// end. null, the default, cuts nothing: a prompt that does not fit the model is an error.
    /// </summary>
    public int? MaximumPromptTokens { get; init => field = OptionCheck.Range(value, 1, 1 << 20, nameof(MaximumPromptTokens)); }

    /// <summary>Prompts that are answered at the same time, within [1, 4096]. Default 16; more is faster and takes more memory.</summary>
    public int BatchSize { get; init => field = OptionCheck.Range(value, 1, 4096, nameof(BatchSize)); } = 16;

    /// <summary>
    /// Column that receives all answers to a prompt, the best first, as a vector of texts: as many as
    /// <see cref="GenerationOptions.SequencesPerPrompt"/> says, fewer where beam search finds no more. null, the default, for none.
    /// </summary>
    public string? AnswersColumnName { get; init; }

    /// <summary>
    /// Column that receives the sum of the natural logarithms of the probabilities of an answer's tokens, as Single; null, the default, for none.
    /// </summary>
    public string? LogProbabilityColumnName { get; init; }

    /// <summary>Column that receives the number of an answer's tokens, its end token counted, as Int32; null, the default, for none.</summary>
    public string? TokenCountColumnName { get; init; }

    /// <summary>
    /// Column that receives the mean router entropy over the tokens of prompt and answer and all MoE layers, in nats, as Single; null, the
    /// default, for none. Only for a mixture.
    /// </summary>
    public string? RouterEntropyColumnName { get; init; }

    /// <summary>
    /// Whether the model zip refers to the model's folder, with a digest of its files, instead of holding its weights: for models whose weights
    /// take gigabytes. The folder must then be there, unchanged, when the zip is loaded; a relative path is looked for in the folder that the
    /// environment variable <c>MLNETMOE_MODELS</c> names, and in the current directory. The digest is of samples of the files: it tells models
    /// and versions apart, not single changed bits. Default false.
    /// </summary>
    public bool KeepsWeightsInFolder { get; init; }

    /// <summary>Where the model runs. Default <see cref="MoeDevice.Automatic"/>.</summary>
    public MoeDevice Device { get; init => field = OptionCheck.Defined(value, nameof(Device)); }

    /// <summary>
    /// Threads of the managed engine, within [1, 1024]; null, the default, takes what AppContext has as Microsoft.ML.Moe.Threads, or else all CPUs.
    /// </summary>
    public int? Threads { get; init => field = OptionCheck.Range(value, 1, 1024, nameof(Threads)); }
}
