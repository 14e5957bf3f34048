using System.ComponentModel;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Spectre.Console;
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
    [Description("With --sample, draw from the most probable tokens that add up to this.")]
    public double? TopP { get; init; }

    [CommandOption("--top-k <NUMBER>")]
    [TypeConverter(typeof(WholeNumber))]
    [Description("With --sample, draw from so many most probable tokens; 0: from all.")]
    public int? TopK { get; init; }

    [CommandOption("--min-p <NUMBER>")]
    [TypeConverter(typeof(RealNumber))]
    [Description("With --sample, draw no token whose probability is less than this share of the most probable one's.")]
    public double? MinP { get; init; }

    [CommandOption("--repetition-penalty <NUMBER>")]
    [TypeConverter(typeof(RealNumber))]
    [Description("Over 1 makes tokens that occur already less probable.")]
    public double? RepetitionPenalty { get; init; }

    [CommandOption("--no-repeat-ngram <TOKENS>")]
    [TypeConverter(typeof(WholeNumber))]
    [Description("No run of so many tokens occurs twice; 0: any may.")]
    public int? NoRepeatNGram { get; init; }

    [CommandOption("--minimum-tokens <NUMBER>")]
    [TypeConverter(typeof(WholeNumber))]
    [Description("An answer does not end by an end token before it has so many tokens.")]
    public int? MinimumTokens { get; init; }

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

    [CommandOption("--alpha <NUMBER>")]
    [TypeConverter(typeof(RealNumber))]
    [Description("Share of the experts' view in the score of --router unified, from 0 to 1.")]
    public double? Alpha { get; init; }

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

    /// <inheritdoc/>
    public override ValidationResult Validate()
    {
        if (In is null && Out is not null)
            return ValidationResult.Error("--out needs --in, a table with texts.");
        if (In is not null && Prompt is not null)
            return ValidationResult.Error("--prompt is one text and --in a table of them: give one of the two.");
        if (Perplexity && Out is not null)
            return ValidationResult.Error("--out is for answers, and --perplexity writes none: leave one of the two out.");
        return base.Validate();
    }

    /// <summary>How texts are generated: what the model's files say, with what was asked for.</summary>
    /// <param name="own">What the model's files say.</param>
    /// <exception cref="UserException">An option of sampling was given, but nothing is sampled.</exception>
    public GenerationOptions ToGeneration(GenerationOptions own)
    {
        var samples = Sample || own.Sample;
        (string Option, bool IsGiven)[] ofSampling =
        [
            ("--temperature", Temperature is not null), ("--top-p", TopP is not null), ("--top-k", TopK is not null),
            ("--min-p", MinP is not null), ("--seed", Seed is not null),
        ];
        if (!samples && ofSampling.FirstOrDefault(o => o.IsGiven).Option is { } useless)
            throw new UserException($"{useless} has no effect without --sample: the model's files do not ask for sampling.");
        return own with
        {
            MaximumNewTokens = MaxNewTokens ?? own.MaximumNewTokens,
            MinimumNewTokens = MinimumTokens ?? own.MinimumNewTokens,
            Beams = Beams ?? own.Beams,
            Sample = samples,
            Temperature = (float?)Temperature ?? own.Temperature,
            TopP = (float?)TopP ?? own.TopP,
            TopK = TopK ?? own.TopK,
            MinP = (float?)MinP ?? own.MinP,
            RepetitionPenalty = (float?)RepetitionPenalty ?? own.RepetitionPenalty,
            NoRepeatNGramSize = NoRepeatNGram ?? own.NoRepeatNGramSize,
            StopStrings = Stop ?? own.StopStrings,
            Seed = Seed ?? own.Seed,
        };
    }
}
