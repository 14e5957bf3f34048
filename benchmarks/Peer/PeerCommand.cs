using System.CommandLine;
using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Benchmarks.Reporting;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Peer;

/// <summary>The program's command line.</summary>
internal sealed class PeerCommand : RootCommand
{
    private const string Processor = "cpu";
    private const string Gpu = "gpu";

    private static readonly Option<FileInfo> Train =
        ExistingFile("--train", "Training rows: a header, then label, tab and text in each line.", required: true);

    private static readonly Option<FileInfo> Test = ExistingFile("--test", "Test rows, likewise.", required: true);

    private static readonly Option<FileInfo> Weights = ExistingFile(
        "--weights", $"Pretrained weights of {TextClassificationPeer.Name}. Without them ML.NET downloads its own.", required: false);

    private static readonly Option<string?> Device = new("--device")
    {
        Description = $"{Gpu}, the first, or {Processor}. Without it the GPU, or where there is none the CPU.",
        HelpName = $"{Gpu}|{Processor}",
    };

    private static readonly Option<int?> Rows = new("--rows")
    {
        Description = "Rows of each file at most, drawn at random, to try the comparison out. Without it all.",
        HelpName = "N",
    };

    public PeerCommand()
        : base($"Compares the text classifier with ML.NET's own {TextClassificationPeer.Name} on the same rows and device.")
    {
        Device.AcceptOnlyFromAmong(Gpu, Processor);
        Rows.Validators.Add(result =>
        {
            if (result.Tokens is [var token]
                && !(int.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var rows) && rows >= 1))
                result.AddError("--rows takes a whole number of at least 1.");
        });
        Add(Train);
        Add(Test);
        Add(Weights);
        Add(Device);
        Add(Rows);
        Add(CommandLine.Json);
        Add(CommandLine.Rounds);
        SetAction(result =>
        {
            var options = new PeerOptions(
                result.GetRequiredValue(Train),
                result.GetRequiredValue(Test),
                result.GetValue(Weights),
                IsGpu(result.GetValue(Device)),
                result.GetValue(Rows),
                result.GetValue(CommandLine.Rounds));
            try
            {
                var figures = new PeerComparison(options).Run();
                if (result.GetValue(CommandLine.Json) is { } file)
                    JsonReport.WriteAll(file, figures);
                return 0;
            }
            catch (InvalidDataException e)
            {
                Console.Error.WriteLine(e.Message);
                return 1;
            }
        });
    }

    private static bool IsGpu(string? device) => device is null ? LibTorch.Missing is null && TorchEngine.GpuCount > 0 : device == Gpu;

    private static Option<FileInfo> ExistingFile(string name, string description, bool required)
    {
        var option = new Option<FileInfo>(name) { Description = description, HelpName = "FILE", Required = required };
        option.AcceptExistingOnly();
        return option;
    }
}
