using System.ComponentModel;
using Microsoft.ML.Moe;
using Spectre.Console;
using Spectre.Console.Cli;

namespace MoeTool.Settings;

/// <summary>What trainings can be told that make a model of their own.</summary>
internal abstract class FitSettings : TrainingSettings
{
    [CommandOption("--model <FILE>")]
    [Description("Where the model goes. Default: it is not kept.")]
    public string? Model { get; init; }

    [CommandOption("--experts <N>")]
    [Description("Experts in a MoE layer.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? Experts { get; init; }

    [CommandOption("--moe-every <N>")]
    [Description("Every n-th block has a MoE layer; 0 for none.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? MoeEvery { get; init; }

    /// <inheritdoc/>
    public override ValidationResult Validate()
    {
        if (Experts < 1)
            return ValidationResult.Error($"--experts takes a whole number of at least 1, not {Experts}.");
        return MoeEvery < 0
            ? ValidationResult.Error($"--moe-every takes a whole number of at least 0, not {MoeEvery}.")
            : base.Validate();
    }

    protected override void ApplyOwnTo(MoeTrainerOptions options)
    {
        var encoder = (MoeEncoderOptions)options;
        encoder.Experts = Experts ?? encoder.Experts;
        encoder.MoeEvery = MoeEvery ?? encoder.MoeEvery;
        encoder.Router = Changed(encoder.Router);
    }
}
