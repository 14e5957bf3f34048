using System.ComponentModel;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Spectre.Console.Cli;

namespace MoeTool.Settings;

/// <summary>What <c>generate</c> can be told.</summary>
internal sealed class GenerateSettings : CommandSettings
{
    [CommandOption("--model <FOLDER>", isRequired: true)]
    [Description("A folder of Hugging Face, or a model's name in the hub's cache.")]
    public string Model { get; init; } = "";

    [CommandOption("--adapters <FOLDER>")]
    [Description("Low-rank adapters of the library peft for the model.")]
    public string? Adapters { get; init; }

    [CommandOption("--prompt <TEXT>")]
    [Description("Answer this text, shown as it is written. Without it, the texts of --in, or the lines of the standard input.")]
    public string? Prompt { get; init; }

    [CommandOption("--in <FILE>")]
    [Description("Table with the prompts.")]
    public string? In { get; init; }

    [CommandOption("--text <COLUMN>")]
    [Description("Column with the prompt.")]
    [DefaultValue("Text")]
    public string Text { get; init; } = "Text";

    [CommandOption("--out <FILE>")]
    [Description("Where answers to a table go: tab-separated, prompt, answer, log-probability and number of tokens.")]
    public string? Out { get; init; }

    [CommandOption("--perplexity")]
    [Description("Write nothing: tell how well the model tells the texts of --in.")]
    public bool Perplexity { get; init; }

    [CommandOption("--max-new-tokens <NUMBER>")]
    [TypeConverter(typeof(WholeNumber))]
    [Description("Longest answer in tokens. Default: what the model's files say.")]
    public int? MaxNewTokens { get; init; }

    [CommandOption("--beams <NUMBER>")]
    [TypeConverter(typeof(WholeNumber))]
    [Description("Beams of beam search.")]
    public int? Beams { get; init; }

    [CommandOption("--sample")]
    [Description("Draw tokens at random.")]
    public bool Sample { get; init; }

    [CommandOption("--temperature <NUMBER>")]
    [TypeConverter(typeof(RealNumber))]
    [Description("Temperature of --sample.")]
    public double? Temperature { get; init; }

    [CommandOption("--top-p <NUMBER>")]
    [TypeConverter(typeof(RealNumber))]
    [Description("Draw from the most probable tokens that add up to this.")]
    public double? TopP { get; init; }

    [CommandOption("--stop <TEXT>")]
    [Description("End an answer before this text; may be given repeatedly.")]
    public string[]? Stop { get; init; }

    [CommandOption("--seed <NUMBER>")]
    [TypeConverter(typeof(WholeNumber))]
    [Description("Seed of --sample.")]
    public int? Seed { get; init; }

    [CommandOption("--router <KIND>")]
    [TypeConverter(typeof(NameConverter<RouterKind>))]
    [Description("Re-route the mixture: token-choice or unified (over the tokens so far).")]
    public RouterKind? Router { get; init; }

    [CommandOption("--experts-per-token <NUMBER>")]
    [TypeConverter(typeof(RealNumber))]
    [Description("Experts of each token; fractions with --router unified.")]
    public double? ExpertsPerToken { get; init; }

    [CommandOption("--weights <PRECISION>")]
    [TypeConverter(typeof(NameConverter<WeightPrecision>))]
    [Description("as-stored, int8 or float32.")]
    [DefaultValue(WeightPrecision.AsStored)]
    public WeightPrecision Weights { get; init; }

    [CommandOption("--device <DEVICE>")]
    [TypeConverter(typeof(NameConverter<MoeDevice>))]
    [Description("automatic, cpu, cpu-lib-torch or gpu.")]
    [DefaultValue(MoeDevice.Automatic)]
    public MoeDevice Device { get; init; }

    /// <summary>The model that is meant.</summary>
    public PublishedModel Published => PublishedModels.Named(Model, Adapters);

    /// <summary>How texts are generated: what the model's files say, with what was asked for.</summary>
    /// <param name="own">What the model's files say.</param>
    public GenerationOptions ToGeneration(GenerationOptions own) => own with
    {
        MaximumNewTokens = MaxNewTokens ?? own.MaximumNewTokens,
        Beams = Beams ?? own.Beams,
        Sample = Sample || own.Sample,
        Temperature = (float?)Temperature ?? own.Temperature,
        TopP = (float?)TopP ?? own.TopP,
        StopStrings = Stop ?? own.StopStrings,
        Seed = Seed ?? own.Seed,
    };
}
