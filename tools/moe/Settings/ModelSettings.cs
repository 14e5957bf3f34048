using System.ComponentModel;
using Spectre.Console;
using Spectre.Console.Cli;

namespace MoeTool.Settings;

/// <summary>What commands that use a saved classifier can be told.</summary>
internal abstract class ModelSettings : CommandSettings
{
    [CommandOption("--model <FILE>", isRequired: true)]
    [Description("A saved model: a classifier, or one of a table.")]
    public string Model { get; init; } = "";

    [CommandOption("--text <COLUMN>")]
    [Description("Column with the text. Default: the one named as in training.")]
    public string? Text { get; init; }

    [CommandOption("--text2 <COLUMN>")]
    [Description("Column with the second text of a pair. Default: the one named as in training.")]
    public string? Text2 { get; init; }

    [CommandOption("--path <COLUMN>")]
    [Description("Column with the images' paths. Default: the one named as in training.")]
    public string? Path { get; init; }

    /// <inheritdoc/>
    public override ValidationResult Validate() =>
        Text is not null && Path is not null ? ValidationResult.Error("--text and --path exclude each other.") : ValidationResult.Success();
}

/// <summary>What <c>evaluate</c> can be told.</summary>
internal sealed class EvaluateSettings : ModelSettings
{
    [CommandOption("--data <FILE>", isRequired: true)]
    [Description("Rows with labels; for images a folder or a table.")]
    public string Data { get; init; } = "";

    [CommandOption("--label <COLUMN>")]
    [Description("Column with the label. Default: the one named as in training.")]
    public string? Label { get; init; }
}

/// <summary>What <c>predict</c> can be told.</summary>
internal sealed class PredictSettings : ModelSettings
{
    [CommandOption("--data <FILE>")]
    [Description("Rows; for images a folder or a table. Default: lines of the standard input; of tables, none.")]
    public string? Data { get; init; }

    [CommandOption("--out <FILE>")]
    [Description("Where predictions go, tab-separated. Default: the standard output.")]
    public string? Out { get; init; }
}

/// <summary>What <c>report</c> can be told.</summary>
internal sealed class ReportSettings : ModelSettings
{
    [CommandOption("--data <FILE>", isRequired: true)]
    [Description("Rows; for images a folder or a table.")]
    public string Data { get; init; } = "";

    [CommandOption("--label <COLUMN>")]
    [Description("Column with the label, for --compare. Default: the one named as in training.")]
    public string? Label { get; init; }

    [CommandOption("--html <FILE>")]
    [Description("Write a page with charts as well.")]
    public string? Html { get; init; }

    [CommandOption("--compare")]
    [Description("Try other routers on rows with labels.")]
    public bool Compare { get; init; }
}
