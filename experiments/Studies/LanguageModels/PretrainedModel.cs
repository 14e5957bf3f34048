using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tokenizers;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies.LanguageModels;

/// <summary>The two mixtures that are pretrained here.</summary>
/// <param name="Name">Name of the model, and of its folder.</param>
/// <param name="Config">The architecture.</param>
/// <param name="BatchSize">Rows of a step.</param>
/// <param name="LearningRate">Highest learning rate.</param>
internal sealed record PretrainedModel(string Name, FromScratchConfig Config, int BatchSize, float LearningRate)
{
    /// <summary>Sentinels of the encoder–decoder.</summary>
    private const int Sentinels = 32;

    /// <summary>A causal mixture, by the next token.</summary>
    public static PretrainedModel Causal { get; } =
        new("causal", new LanguageModelConfig { Width = 128, Layers = 4, Experts = 8, ExpertWidth = 256 }, BatchSize: 8, LearningRate: 3e-3f);

    /// <summary>A Switch-like encoder–decoder, by hidden spans.</summary>
    public static PretrainedModel Switch { get; } =
        new("switch", new TextToTextModelConfig { Width = 128, Layers = 4, Experts = 8, ExpertWidth = 512 }, BatchSize: 32, LearningRate: 2e-3f);

    /// <summary>The tokenizer.</summary>
    /// <param name="arguments">What the command line asks for.</param>
    public HuggingFaceTokenizer Tokenizer(Arguments arguments) => Config is TextToTextModelConfig
        ? LanguageModelTokenizer.Read(arguments, Sentinels, appendsEnd: true)
        : LanguageModelTokenizer.Read(arguments);

    /// <summary>Rows to learn from, or to measure on.</summary>
    /// <param name="rows">Makes them.</param>
    /// <param name="files">Lines of each file.</param>
    /// <param name="seed">Draws what is hidden.</param>
    /// <param name="count">Number of rows.</param>
    public (IReadOnlyList<Example<EncodedText>> Rows, long Characters) RowsOf(
        CorpusRows rows, IReadOnlyList<string[]> files, int seed, int count) =>
        Config is LanguageModelConfig causal ? rows.Causal(files, causal.MaximumTokens, count) : (rows.Denoising(files, seed, count), 0);
}
