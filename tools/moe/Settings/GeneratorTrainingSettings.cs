using System.ComponentModel;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Spectre.Console.Cli;
using ValidationResult = Spectre.Console.ValidationResult;

namespace MoeTool.Settings;

/// <summary>GW-MoE's settings for a kind of task.</summary>
internal enum WorkspacePreset
{
    /// <summary>None: the router alone.</summary>
    Off,

    /// <summary>Of classification as text.</summary>
    Glue,

    /// <summary>Of summaries.</summary>
    Summarisation,

    /// <summary>Of answers to questions.</summary>
    Qa,
}

/// <summary>What trainings of models that write text can be told.</summary>
internal abstract class GeneratorTrainingSettings : TrainingSettings
{
    [CommandOption("--model <FOLDER>", isRequired: true)]
    [Description("The model to begin with: a folder of Hugging Face, or a model's name in the hub's cache.")]
    public string Model { get; init; } = "";

    [CommandOption("--train <FILE>", isRequired: true)]
    [Description("Training rows, tab-separated (or by commas in a .csv file), with a header.")]
    public string Train { get; init; } = "";

    [CommandOption("--validation <FILE>")]
    [Description("Rows that choose the best epoch.")]
    public string? Validation { get; init; }

    [CommandOption("--test <FILE>")]
    [Description("Rows to evaluate on. Default: a fifth of the training rows.")]
    public string? Test { get; init; }

    [CommandOption("--out <FILE>")]
    [Description("Where the trained model goes. Default: it is not kept.")]
    public string? Out { get; init; }

    [CommandOption("--batch-size <N>")]
    [Description("Rows of a step.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? BatchSize { get; init; }

    [CommandOption("--learning-rate <X>")]
    [Description("Peak learning rate.")]
    [TypeConverter(typeof(RealNumber))]
    public double? LearningRate { get; init; }

    [CommandOption("--lora <RANK>")]
    [Description("Train low-rank adapters of this rank beside all linear layers in place of the weights.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? Lora { get; init; }

    [CommandOption("--adapters <FOLDER>")]
    [Description("Go on training these adapters of the library peft, beside the model's weights.")]
    public string? Adapters { get; init; }

    [CommandOption("--keep-adapters")]
    [Description("With --lora or --adapters: the model's file holds the adapters alone, and refers to the model's folder.")]
    public bool KeepAdapters { get; init; }

    [CommandOption("--freeze-router")]
    [Description("Leave the routers as they are.")]
    public bool FreezeRouter { get; init; }

    [CommandOption("--workspace <PRESET>")]
    [Description("GW-MoE: while training, uncertain tokens go to all experts, with the paper's thresholds: glue, summarisation, qa or off.")]
    [TypeConverter(typeof(NameConverter<WorkspacePreset>))]
    public WorkspacePreset? Workspace { get; init; }

    [CommandOption("--metric <NAME>")]
    [Description("What chooses the best epoch on the validation rows: loss, exact-match, f1, rouge-l, rouge-lsum or accuracy. Default: loss, "
        + "or rouge-lsum with --summarisation.")]
    [TypeConverter(typeof(NameConverter<TextMetric>))]
    public TextMetric? Metric { get; init; }

    /// <summary>The model that is meant.</summary>
    public PublishedModel Published => PublishedModels.Named(Model, Adapters);

    /// <inheritdoc/>
    public override ValidationResult Validate() =>
        KeepAdapters && Lora is null && Adapters is null ? ValidationResult.Error("--keep-adapters needs --lora RANK or --adapters FOLDER.")
        : Adapters is not null && Lora is not null ? ValidationResult.Error("--adapters are trained on as they are; --lora makes new ones: give one of them.")
        : base.Validate();

    protected override void ApplyOwnTo(MoeTrainerOptions options)
    {
        var tuning = (MoeGeneratorOptions)options;
        tuning.Model = Published;
        tuning.BatchSize = BatchSize ?? tuning.BatchSize;
        tuning.LearningRate = (float?)LearningRate ?? tuning.LearningRate;
        tuning.FreezeRouter |= FreezeRouter;
        if (Lora is { } rank)
            tuning.Adaptation = (tuning.Adaptation ?? new LowRankAdaptation()) with { Rank = rank };
        tuning.MergesAdapters &= !KeepAdapters;
        if (Metric is { } metric)
            tuning.Metric = metric;
        if (Workspace is { } preset)
            tuning.GlobalWorkspace = OfPreset(preset);
        if (Router is { } || ExpertsPerToken is { } || Alpha is { })
            tuning.Router = Changed(tuning.Router ?? Routers.Create(Router ?? RouterKind.TokenChoice));
    }

    private static GlobalWorkspaceSettings? OfPreset(WorkspacePreset preset) => preset switch
    {
        WorkspacePreset.Glue => GlobalWorkspace.Glue,
        WorkspacePreset.Summarisation => GlobalWorkspace.Summarisation,
        WorkspacePreset.Qa => GlobalWorkspace.QuestionAnswering,
        _ => null,
    };
}

/// <summary>What <c>train-text-to-text</c> can be told.</summary>
internal sealed class TrainTextToTextSettings : GeneratorTrainingSettings
{
    [CommandOption("--source <COLUMN>")]
    [Description("Column with the text that is read.")]
    [DefaultValue("Source")]
    public string Source { get; init; } = "Source";

    [CommandOption("--prompt <TEXT>")]
    [Description("What is read of a row, with columns in braces: \"question: {Question} context: {Context}\". In place of --source.")]
    public string? Prompt { get; init; }

    [CommandOption("--glue <TASK>")]
    [Description("A task of GLUE, with the data set's columns: its prompt and the GW-MoE paper's settings.")]
    [TypeConverter(typeof(NameConverter<GlueTask>))]
    public GlueTask? Glue { get; init; }

    [CommandOption("--summarisation")]
    [Description("Summaries of the texts of --source: the GW-MoE paper's prompt and settings.")]
    public bool Summarisation { get; init; }

    [CommandOption("--questions")]
    [Description("Answers to questions out of contexts, which are read in windows: the GW-MoE paper's prompt and settings.")]
    public bool Questions { get; init; }

    [CommandOption("--question-column <COLUMN>")]
    [Description("Column with the question, with --questions. Default: Question.")]
    public string? QuestionColumn { get; init; }

    [CommandOption("--context-column <COLUMN>")]
    [Description("Column with the context, with --questions. Default: Context.")]
    public string? ContextColumn { get; init; }

    private string QuestionOrUsual => QuestionColumn ?? "Question";

    [CommandOption("--target <COLUMN>")]
    [Description("Column with the text that is written.")]
    [DefaultValue("Target")]
    public string Target { get; init; } = "Target";

    [CommandOption("--classes")]
    [Description("The targets are classes: train a classifier, which scores the text of each.")]
    public bool Classes { get; init; }

    [CommandOption("--windows <COLUMN>")]
    [Description("Read a longer text of this column of the prompt in overlapping windows.")]
    public string? Windows { get; init; }

    [CommandOption("--max-source-tokens <N>")]
    [Description("Longest source in tokens.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? MaxSourceTokens { get; init; }

    [CommandOption("--max-target-tokens <N>")]
    [Description("Longest target in tokens.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? MaxTargetTokens { get; init; }

    [CommandOption("--beams <N>")]
    [Description("Beams of beam search for what is written to the test rows.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? Beams { get; init; }

    /// <inheritdoc/>
    public override ValidationResult Validate()
    {
        if (Classes && (Windows is not null || MaxTargetTokens is not null || Beams is not null || Summarisation || Questions))
        {
            return ValidationResult.Error(
                "--windows, --max-target-tokens, --beams, --summarisation and --questions are of texts that are written, not of --classes.");
        }

        if ((Glue is null ? 0 : 1) + (Summarisation ? 1 : 0) + (Questions ? 1 : 0) > 1)
            return ValidationResult.Error("--glue, --summarisation and --questions exclude each other: give one of them.");
        return !Questions && (QuestionColumn is not null || ContextColumn is not null)
            ? ValidationResult.Error("--question-column and --context-column name the columns of --questions: give that too.")
            : base.Validate();
    }

    /// <summary>The trainer's options that this begins with: those of a preset, or the usual ones.</summary>
    public MoeTextToTextTrainer.Options ToOptions() => this switch
    {
        { Glue: { } task } => MoeTextToTextTrainer.Options.Glue(task),
        { Summarisation: true } => MoeTextToTextTrainer.Options.Summarisation(Source),
        { Questions: true } => MoeTextToTextTrainer.Options.QuestionAnswering(QuestionOrUsual, ContextColumn ?? "Context"),
        _ => new MoeTextToTextTrainer.Options(),
    };

    /// <summary>The option that chooses a column of the prompt.</summary>
    public string OptionOf(string column) => this switch
    {
        { Prompt: null, Summarisation: true } => "--source",
        { Prompt: null, Questions: true } => column == QuestionOrUsual ? "--question-column" : "--context-column",
        _ => "--prompt",
    };

    protected override void ApplyOwnTo(MoeTrainerOptions options)
    {
        base.ApplyOwnTo(options);
        if (options is MoeTextToTextClassificationTrainer.Options classes)
        {
            classes.MaximumSourceTokens = MaxSourceTokens ?? classes.MaximumSourceTokens;
            return;
        }

        var writing = (MoeTextToTextTrainer.Options)options;
        writing.MaximumSourceTokens = MaxSourceTokens ?? writing.MaximumSourceTokens;
        writing.MaximumTargetTokens = MaxTargetTokens ?? writing.MaximumTargetTokens;
        if (Windows is not null)
            writing.Windows = (writing.Windows ?? new ContextWindows()) with { ColumnName = Windows };
        if (Beams is { } beams)
        {
            var usual = writing.Generation ?? GenerationOptions.Read(Model) with { MaximumNewTokens = writing.MaximumTargetTokens };
            writing.Generation = usual with { Beams = beams };
        }
    }
}

/// <summary>What <c>train-language-model</c> can be told.</summary>
internal sealed class TrainLanguageModelSettings : GeneratorTrainingSettings
{
    [CommandOption("--prompt-column <COLUMN>")]
    [Description("Column with the prompt.")]
    [DefaultValue("Prompt")]
    public string PromptColumn { get; init; } = "Prompt";

    [CommandOption("--prompt <TEXT>")]
    [Description("The prompt, with columns in braces. In place of --prompt-column.")]
    public string? Prompt { get; init; }

    [CommandOption("--completion <COLUMN>")]
    [Description("Column with what follows the prompt, which alone is learned.")]
    [DefaultValue("Completion")]
    public string Completion { get; init; } = "Completion";

    [CommandOption("--text <COLUMN>")]
    [Description("Column with plain texts, which are learned themselves. In place of prompts and completions.")]
    public string? Text { get; init; }

    [CommandOption("--chat")]
    [Description("Prompts are users' turns in the conversation format of the model's files.")]
    public bool Chat { get; init; }

    [CommandOption("--system <TEXT>")]
    [Description("What conversations begin with. With --chat.")]
    public string? System { get; init; }

    [CommandOption("--max-prompt-tokens <N>")]
    [Description("Longest prompt, or piece of a plain text, in tokens.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? MaxPromptTokens { get; init; }

    [CommandOption("--max-completion-tokens <N>")]
    [Description("Longest completion in tokens.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? MaxCompletionTokens { get; init; }

    /// <inheritdoc/>
    public override ValidationResult Validate() => Text is not null && (Prompt is not null || Chat)
        ? ValidationResult.Error("--text is learned as it is: --prompt and --chat exclude it.")
        : base.Validate();

    protected override void ApplyOwnTo(MoeTrainerOptions options)
    {
        base.ApplyOwnTo(options);
        var tuning = (MoeLanguageModelTrainer.Options)options;
        tuning.UsesChatTemplate |= Chat;
        tuning.SystemPrompt = System ?? tuning.SystemPrompt;
        tuning.MaximumPromptTokens = MaxPromptTokens ?? tuning.MaximumPromptTokens;
        tuning.MaximumCompletionTokens = MaxCompletionTokens ?? tuning.MaximumCompletionTokens;
    }
}
