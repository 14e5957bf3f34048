using System.ComponentModel;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Routing;
using Spectre.Console;
using Spectre.Console.Cli;

namespace MoeTool.Settings;

/// <summary>What all trainings can be told.</summary>
internal abstract class TrainingSettings : CommandSettings
{
    [CommandOption("--options <FILE>")]
    [Description("Any of the trainer's options, as JSON. What the command line says goes before it.")]
    public string? Options { get; init; }

    [CommandOption("--seed <N>")]
    [Description("Seed of weights, shuffling, dropout and of what is held out. Default 1.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? Seed { get; init; }

    [CommandOption("--epochs <N>")]
    [Description("Most passes over the training rows.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? Epochs { get; init; }

    [CommandOption("--threads <N>")]
    [Description("Worker threads. Default: all CPUs.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? Threads { get; init; }

    [CommandOption("--device <NAME>")]
    [Description("What the model is trained on: automatic, cpu, cpu-lib-torch or gpu. Default: a GPU if TorchSharp finds one, else the CPU.")]
    [TypeConverter(typeof(NameConverter<MoeDevice>))]
    public MoeDevice? Device { get; init; }

    [CommandOption("--checkpoint <FILE>")]
    [Description("Keeps the training's state, to take it up again after an interruption.")]
    public string? Checkpoint { get; init; }

    [CommandOption("--router <NAME>")]
    [Description("How tokens and experts find each other: token-choice, expert-choice, unified or soft.")]
    [TypeConverter(typeof(NameConverter<RouterKind>))]
    public RouterKind? Router { get; init; }

    [CommandOption("--experts-per-token <X>")]
    [Description("Experts that each token is sent to; on average, and fractions allowed, but for token-choice.")]
    [TypeConverter(typeof(RealNumber))]
    public double? ExpertsPerToken { get; init; }

    [CommandOption("--alpha <X>")]
    [Description("Share of the experts' view with --router unified, 0 to 1.")]
    [TypeConverter(typeof(RealNumber))]
    public double? Alpha { get; init; }

    /// <inheritdoc/>
    public override ValidationResult Validate()
    {
        if (Epochs < 1)
            return ValidationResult.Error($"--epochs takes a whole number of at least 1, not {Epochs}.");
        return Threads < 1
            ? ValidationResult.Error($"--threads takes a whole number of at least 1, not {Threads}.")
            : ValidationResult.Success();
    }

    /// <summary>Sets what the file of options and the command line name; the rest stays at the library's defaults.</summary>
    /// <exception cref="UserException">The file of options cannot be used.</exception>
    /// <exception cref="ArgumentException">An option is impossible; the message names it.</exception>
    public void ApplyTo(MoeTrainerOptions options)
    {
        if (Options is not null)
            OptionsFile.Apply(Options, options);
        options.MaxEpochs = Epochs ?? options.MaxEpochs;
        options.Threads = Threads ?? options.Threads;
        options.Device = Device ?? options.Device;
        options.CheckpointFile = Checkpoint ?? options.CheckpointFile;
        options.Seed = Seed ?? options.Seed;
        ApplyOwnTo(options);
    }

    /// <summary>Sets what only this kind of training has.</summary>
    protected abstract void ApplyOwnTo(MoeTrainerOptions options);

    /// <summary>A router as the command line changes it.</summary>
    /// <exception cref="ArgumentException">The router cannot be; the message names what cannot.</exception>
    protected Router Changed(Router router)
    {
        if (Router is not null || ExpertsPerToken is not null)
            router = Routers.Changed(router, Router, ExpertsPerToken);
        return Alpha is { } alpha ? router with { Alpha = alpha } : router;
    }
}
