using System.ComponentModel;
using Microsoft.ML.Moe;
using Spectre.Console;
using Spectre.Console.Cli;

namespace MoeTool.Settings;

/// <summary>What all sweeps can be told.</summary>
internal abstract class SweepSettings : CommandSettings
{
    [CommandOption("--minutes <X>")]
    [Description("How long the sweep lasts, trainings before an interruption counted. Default: as long as --trials take.")]
    [TypeConverter(typeof(RealNumber))]
    public double? Minutes { get; init; }

    [CommandOption("--trials <N>")]
    [Description("Most trials, that of the defaults counted. Default: as many as --minutes allow, or else 27.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? Trials { get; init; }

    [CommandOption("--journal <FILE>")]
    [Description("Keeps what happens, a line of JSON each: the same command takes the sweep up again after an interruption.")]
    public string? Journal { get; init; }

    [CommandOption("--page <FILE>")]
    [Description("Writes a page with charts of the trials.")]
    public string? Page { get; init; }

    [CommandOption("--model <FILE>")]
    [Description("Where the winner goes. Default: it is not kept.")]
    public string? Model { get; init; }

    [CommandOption("--ensemble <N>")]
    [Description("Average the predictions of so many of the best trials, if that is better. Default 1.")]
    [TypeConverter(typeof(WholeNumber))]
    public int Ensemble { get; init; } = 1;

    [CommandOption("--workers <N>")]
    [Description("Trials side by side. Default: one for each CPU, as far as memory lasts.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? Workers { get; init; }

    [CommandOption("--epochs <N>")]
    [Description("Most passes over the training rows, in each trial.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? Epochs { get; init; }

    [CommandOption("--seed <N>")]
    [Description("Seed of the proposals, of what is held out and of all trials. Default 1.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? Seed { get; init; }

    [CommandOption("--validation <FILE>")]
    [Description("Rows that trials are compared on. Default: a tenth of the training rows.")]
    public string? Validation { get; init; }

    [CommandOption("--test <FILE>")]
    [Description("Rows to evaluate the winner on. Default: a fifth of the training rows.")]
    public string? Test { get; init; }

    /// <inheritdoc/>
    public override ValidationResult Validate() =>
        Minutes is { } minutes && !(minutes > 0 && minutes < TimeSpan.FromDays(365).TotalMinutes) ? ValidationResult.Error($"--minutes takes a number over 0, not {minutes}.")
        : Trials < 1 ? ValidationResult.Error($"--trials takes a whole number of at least 1, not {Trials}.")
        : Ensemble is < 1 or > 16 ? ValidationResult.Error($"--ensemble takes a whole number from 1 to 16, not {Ensemble}.")
        : Workers < 1 ? ValidationResult.Error($"--workers takes a whole number of at least 1, not {Workers}.")
        : Epochs < 1 ? ValidationResult.Error($"--epochs takes a whole number of at least 1, not {Epochs}.")
        : ValidationResult.Success();

    /// <summary>A space with the number of epochs, if one is given.</summary>
    public SearchSpace<T> WithEpochs<T>(SearchSpace<T> space)
        where T : MoeTrainerOptions, new() => Epochs is null ? space : space.Fix(o => o.MaxEpochs, Epochs);
}

/// <summary>What sweeps over tables with a label can be told.</summary>
internal abstract class LabelSweepSettings : SweepSettings
{
    [CommandOption("--label <COLUMN>")]
    [Description("Column with the label.")]
    [DefaultValue("Label")]
    public string Label { get; init; } = "Label";
}

/// <summary>What <c>sweep-text-to-text</c> can be told.</summary>
internal sealed class SweepTextToTextSettings : SweepSettings
{
    [CommandOption("--from <FOLDER>", isRequired: true)]
    [Description("The model to begin with: a folder of Hugging Face, or a model's name in the hub's cache.")]
    public string From { get; init; } = "";

    [CommandOption("--train <FILE>", isRequired: true)]
    [Description("Training rows, tab-separated (or by commas in a .csv file), with a header.")]
    public string Train { get; init; } = "";

    [CommandOption("--source <COLUMN>")]
    [Description("Column with the text that is read.")]
    [DefaultValue("Source")]
    public string Source { get; init; } = "Source";

    [CommandOption("--target <COLUMN>")]
    [Description("Column with the text that is written.")]
    [DefaultValue("Target")]
    public string Target { get; init; } = "Target";

    [CommandOption("--metric <NAME>")]
    [Description("What trials are compared by: log-loss, exact-match, f1, rouge-l or rouge-lsum. Default: log-loss.")]
    [TypeConverter(typeof(NameConverter<SweepMetric>))]
    public SweepMetric Metric { get; init; }

    /// <inheritdoc/>
    public override ValidationResult Validate() =>
        Ensemble > 1 ? ValidationResult.Error("Texts cannot be averaged: leave out --ensemble.") : base.Validate();
}

/// <summary>What <c>sweep-text</c> can be told.</summary>
internal sealed class SweepTextSettings : LabelSweepSettings
{
    [CommandOption("--train <FILE>", isRequired: true)]
    [Description("Training rows, tab-separated (or by commas in a .csv file), with a header.")]
    public string Train { get; init; } = "";

    [CommandOption("--text <COLUMN>")]
    [Description("Column with the text.")]
    [DefaultValue("Text")]
    public string Text { get; init; } = "Text";

    [CommandOption("--text2 <COLUMN>")]
    [Description("Column with the second text of a pair.")]
    public string? Text2 { get; init; }

    [CommandOption("--encoder <NAME>")]
    [Description("A published encoder to begin with: minilm, arctic, a folder, or a model's name in the hub's cache. Default: none.")]
    public string? Encoder { get; init; }
}

/// <summary>What <c>sweep-table</c> can be told.</summary>
internal sealed class SweepTableSettings : LabelSweepSettings
{
    [CommandOption("--train <FILE>", isRequired: true)]
    [Description("Training rows, tab-separated (or by commas in a .csv file), with a header. All columns but the label are features.")]
    public string Train { get; init; } = "";

    [CommandOption("--categorical <COLUMN>")]
    [Description("Column whose numbers are codes of a category, not amounts. Can be given several times.")]
    public string[] Categorical { get; init; } = [];

    [CommandOption("--task <TASK>", isRequired: true)]
    [Description("What is learned: multiclass, binary or regression.")]
    [TypeConverter(typeof(NameConverter<TableTask>))]
    public TableTask? Task { get; init; }
}

/// <summary>What <c>sweep-images</c> can be told.</summary>
internal sealed class SweepImagesSettings : LabelSweepSettings
{
    [CommandOption("--data|--train <FOLDER_OR_FILE>", isRequired: true)]
    [Description("Training images: a folder with a sub-folder for each class, or a table with columns of labels and paths.")]
    public string Data { get; init; } = "";

    [CommandOption("--path <COLUMN>")]
    [Description("Column of a table with the images' paths, relative to the table.")]
    [DefaultValue("ImagePath")]
    public string Path { get; init; } = "ImagePath";

    [CommandOption("--size <N>")]
    [Description("Width and height that images are resized to. Default 64.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? Size { get; init; }

    [CommandOption("--flip")]
    [Description("Mirror half of the images while training: for photographs.")]
    public bool Flip { get; init; }
}
