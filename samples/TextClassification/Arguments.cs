using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Routing;
using Samples;

namespace TextClassification;

/// <summary>The command line.</summary>
internal sealed record Arguments
{
    /// <summary>Where files go that no argument names.</summary>
    public static string OutputFolder { get; } = Path.Combine(AppContext.BaseDirectory, "output");

    /// <summary>Training table; null for sentences of the .NET documentation.</summary>
    public string? Train { get; init; }

    public string? Validation { get; init; }

    /// <summary>Test table; null holds out a fifth of the training table.</summary>
    public string? Test { get; init; }

    public string Label { get; init; } = "Label";

    public string Text { get; init; } = "Text";

    public string Model { get; init; } = Path.Combine(OutputFolder, "model.zip");

    public int Seed { get; init; } = 1;

    public int? Epochs { get; init; }

    public int? Threads { get; init; }

    public MoeDevice? Device { get; init; }

    public int? Experts { get; init; }

    public RouterKind? Router { get; init; }

    public double? ExpertsPerToken { get; init; }

    public double? Alpha { get; init; }

    public int? MoeEvery { get; init; }

    /// <summary>Share of the largest router entropy from which tokens are broadcast to all experts while training; null for none.</summary>
    public double? GlobalWorkspace { get; init; }

    /// <summary>Where a page about the routers goes; null for none.</summary>
    public string? Report { get; init; }

    public bool CompareRouting { get; init; }

    /// <summary>Makes sure that files can be written, before time goes into training.</summary>
    /// <exception cref="UserException">A file's path is a folder.</exception>
    public void PrepareOutput()
    {
        OutputFile.Prepare(Model, "--model");
        if (Report is not null)
            OutputFile.Prepare(Report, "--report");
    }

    /// <summary>Sets what the command line names; the rest stays at the library's defaults.</summary>
    public void ApplyTo(MoeTextClassificationTrainer.Options options)
    {
        options.MaxEpochs = Epochs ?? options.MaxEpochs;
        options.Threads = Threads ?? options.Threads;
        options.Device = Device ?? options.Device;
        options.Experts = Experts ?? options.Experts;
        options.Router = Router ?? options.Router;
        options.Alpha = Alpha ?? options.Alpha;
        options.ExpertsPerToken = ExpertsPerToken ?? options.ExpertsPerToken;
        options.MoeEvery = MoeEvery ?? options.MoeEvery;
        if (GlobalWorkspace is { } threshold)
            options.GlobalWorkspace = new GlobalWorkspaceSettings(threshold);
    }
}
