using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Routing;

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

    public int? Experts { get; init; }

    public RouterKind? Router { get; init; }

    public double? ExpertsPerToken { get; init; }

    public double? Alpha { get; init; }

    public int? MoeEvery { get; init; }

    /// <summary>Makes sure that the model can be written, before time goes into training it.</summary>
    /// <exception cref="UserException">The model's path is a folder.</exception>
    public void PrepareOutput()
    {
        if (Directory.Exists(Model))
            throw new UserException($"'{Model}' is a folder; --model takes the path of a file.");
        Directory.CreateDirectory(Path.GetDirectoryName(Model)!);
        using var probe = File.Create(Model + ".tmp", 1, FileOptions.DeleteOnClose);
    }

    /// <summary>Sets what the command line names; the rest stays at the library's defaults.</summary>
    public void ApplyTo(MoeTextClassificationTrainer.Options options)
    {
        options.MaxEpochs = Epochs ?? options.MaxEpochs;
        options.Threads = Threads ?? options.Threads;
        options.Experts = Experts ?? options.Experts;
        options.Router = Router ?? options.Router;
        options.Alpha = Alpha ?? options.Alpha;
        options.ExpertsPerToken = ExpertsPerToken ?? options.ExpertsPerToken;
        options.MoeEvery = MoeEvery ?? options.MoeEvery;
    }
}
