using System.ComponentModel;
using Spectre.Console.Cli;

namespace MoeTool.Settings;

/// <summary>What <c>evaluate-text</c> measures.</summary>
internal enum TextTask
{
    /// <summary>Exact match and F1 of answers.</summary>
    Squad,

    /// <summary>ROUGE of summaries.</summary>
    Rouge,

    /// <summary>Answers to word problems.</summary>
    Gsm8k,

    /// <summary>Results of programs that were run before.</summary>
    PassAtK,

    /// <summary>Log-probabilities of texts.</summary>
    Perplexity,

    /// <summary>GLUE.</summary>
    Cola,

    /// <summary>GLUE.</summary>
    Sst2,

    /// <summary>GLUE.</summary>
    Mrpc,

    /// <summary>GLUE.</summary>
    Stsb,

    /// <summary>GLUE.</summary>
    Qqp,

    /// <summary>GLUE.</summary>
    Mnli,

    /// <summary>GLUE.</summary>
    Qnli,

    /// <summary>GLUE.</summary>
    Rte,

    /// <summary>GLUE.</summary>
    Wnli,
}

/// <summary>What <c>evaluate-text</c> can be told.</summary>
internal sealed class EvaluateTextSettings : CommandSettings
{
    [CommandOption("--task <TASK>", isRequired: true)]
    [TypeConverter(typeof(NameConverter<TextTask>))]
    [Description("squad, rouge, gsm8k, pass-at-k, perplexity; or of GLUE: cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte, wnli.")]
    public TextTask Task { get; init; }

    [CommandOption("--data <FILE>", isRequired: true)]
    [Description("Table with what was generated and what it should be; or with results or log-probabilities.")]
    public string Data { get; init; } = "";

    [CommandOption("--prediction <COLUMN>")]
    [Description("Column with the generated text.")]
    [DefaultValue("Prediction")]
    public string Prediction { get; init; } = "Prediction";

    [CommandOption("--reference <COLUMN>")]
    [Description("Column with the right text, Label unless given. squad, rouge: several times for several right texts; empty ones do not count.")]
    public string[] References { get; init; } = [];

    [CommandOption("--stem")]
    [Description("rouge: words count as their stems.")]
    public bool Stem { get; init; }

    [CommandOption("--task-id <COLUMN>")]
    [Description("pass-at-k: column with the task's name.")]
    [DefaultValue("TaskId")]
    public string TaskId { get; init; } = "TaskId";

    [CommandOption("--passed <COLUMN>")]
    [Description("pass-at-k: column that tells whether the sample passed: true or false, 1 or 0.")]
    [DefaultValue("Passed")]
    public string Passed { get; init; } = "Passed";

    [CommandOption("--samples <NUMBER>")]
    [TypeConverter(typeof(WholeNumber))]
    [Description("pass-at-k: samples of which one must pass; may be given several times. Default: those of 1, 10 and 100 that there are.")]
    public int[] Samples { get; init; } = [];

    [CommandOption("--log-probability <COLUMN>")]
    [Description("perplexity: column with the sum of the tokens' natural log-probabilities.")]
    [DefaultValue("LogProbability")]
    public string LogProbability { get; init; } = "LogProbability";

    [CommandOption("--token-count <COLUMN>")]
    [Description("perplexity: column with the number of tokens.")]
    [DefaultValue("TokenCount")]
    public string TokenCount { get; init; } = "TokenCount";

    [CommandOption("--text <COLUMN>")]
    [Description("perplexity: column with the text, for bits per character.")]
    public string? Text { get; init; }
}
