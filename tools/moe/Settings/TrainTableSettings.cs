using System.ComponentModel;
using Microsoft.ML.Moe;
using Spectre.Console;
using Spectre.Console.Cli;

namespace MoeTool.Settings;

/// <summary>What is learned of a table.</summary>
internal enum TableTask
{
    /// <summary>One of several classes.</summary>
    Multiclass,

    /// <summary>Yes or no.</summary>
    Binary,

    /// <summary>A number.</summary>
    Regression,
}

/// <summary>What <c>train-table</c> can be told.</summary>
internal sealed class TrainTableSettings : FitSettings
{
    [CommandOption("--train <FILE>", isRequired: true)]
    [Description("Training rows, tab-separated (or by commas in a .csv file), with a header.")]
    public string Train { get; init; } = "";

    [CommandOption("--validation <FILE>")]
    [Description("Rows that choose the best epoch. Default: a tenth of the training rows.")]
    public string? Validation { get; init; }

    [CommandOption("--test <FILE>")]
    [Description("Rows to evaluate on. Default: a fifth of the training rows.")]
    public string? Test { get; init; }

    [CommandOption("--label <COLUMN>")]
    [Description("Column with the label. All others are features: numbers, or else categories. Missing values may be empty.")]
    [DefaultValue("Label")]
    public string Label { get; init; } = "Label";

    [CommandOption("--categorical <COLUMN>")]
    [Description("Column whose numbers are codes of a category, not amounts. Can be given several times.")]
    public string[] Categorical { get; init; } = [];

    [CommandOption("--task <TASK>", isRequired: true)]
    [Description("What is learned: multiclass, binary or regression.")]
    [TypeConverter(typeof(NameConverter<TableTask>))]
    public TableTask? Task { get; init; }

    [CommandOption("--dense")]
    [Description("Without experts: the dense model of equal cost, to compare with. As --moe-every 0.")]
    public bool Dense { get; init; }

    /// <inheritdoc/>
    public override ValidationResult Validate() => Dense && MoeEvery is > 0
        ? ValidationResult.Error("--dense is without experts, and --moe-every asks for some.")
        : base.Validate();

    protected override void ApplyOwnTo(MoeTrainerOptions options)
    {
        base.ApplyOwnTo(options);
        if (Dense)
            ((MoeEncoderOptions)options).MoeEvery = 0;
    }
}
