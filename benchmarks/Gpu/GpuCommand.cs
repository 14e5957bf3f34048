using System.CommandLine;
using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Benchmarks.Reporting;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>The command <c>gpu</c>.</summary>
internal sealed class GpuCommand : System.CommandLine.Command
{
    private const string Processor = "cpu";
    private const int ScaleOfTrial = 16;
    private const int LargestScale = 64;

    private static readonly Option<string?> Device = new("--device")
    {
        Description = $"Number of the GPU, or {Processor} for a trial. Without it GPU 0, or where there is none a trial.",
        HelpName = $"N|{Processor}",
    };

    private static readonly Option<int?> Scale = new("--scale")
    {
        Description = $"Divides tokens, width and expert width: a power of 2 up to {LargestScale}. Without it 1, {ScaleOfTrial} in a trial.",
        HelpName = "N",
    };

    private static readonly Option<double> Minutes = new("--minutes")
    {
        Description = "What all of it may take; what is not measured by then is left out. 10 without it.",
        HelpName = "N",
        DefaultValueFactory = _ => 10,
    };

    public GpuCommand(Option<FileInfo?> json, Option<int> rounds)
        : base("gpu", "Measures the TorchSharp engine on a GPU, or tries to on the CPU at part of the sizes.")
    {
        Add(Device);
        Add(Scale);
        Add(Minutes);
        Add(json);
        Add(rounds);
        Device.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && token.Value != Processor && NumberOf(token.Value) is null)
                result.AddError($"--device takes the number of a GPU, from 0, or {Processor}; not '{token.Value}'.");
        });
        Scale.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !(NumberOf(token.Value) is >= 1 and <= LargestScale and var scale && int.IsPow2(scale)))
                result.AddError($"--scale takes a power of 2 up to {LargestScale}; not '{token.Value}'.");
        });
        Minutes.Validators.Add(result =>
        {
            if (result.Tokens is [var token]
                && !(double.TryParse(token.Value, CultureInfo.InvariantCulture, out var minutes) && minutes is > 0 and <= 1440))
                result.AddError($"--minutes takes a number above 0, up to a day's; not '{token.Value}'.");
        });
        SetAction(result =>
        {
            if (Choose(result.GetValue(Device), out var gpu) is { } problem)
            {
                Console.Error.WriteLine(problem);
                return 1;
            }

            var scale = result.GetValue(Scale) ?? (gpu is null ? ScaleOfTrial : 1);
            if (GpuSuite.Run(gpu, scale, result.GetValue(rounds), TimeSpan.FromMinutes(result.GetValue(Minutes))) is not { } report)
                return 1;
            if (result.GetValue(json) is { } file)
                JsonReport.Write(file, report);
            return 0;
        });
    }

    // Gives what is wrong; null where nothing is, or where the suite will say it.
    private static string? Choose(string? device, out int? gpu)
    {
        gpu = device is null ? null : NumberOf(device);
        if (LibTorch.Missing is not null)
            return null;
        var count = TorchEngine.GpuCount;
        if (device is null && count > 0)
            gpu = 0;
        return gpu >= count ? $"There is no GPU {gpu}: TorchSharp finds {count}. --device {Processor} tries the benchmarks." : null;
    }

    private static int? NumberOf(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
