using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.Gpu;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Spectre.Console;

namespace Microsoft.ML.Moe.Benchmarks.Reporting;

/// <summary>What a reader sees.</summary>
internal static class Report
{
    private const string None = "–";

    private const int WidthOfFile = 180;

    /// <summary>Into a file or pipe, tables come as wide as they are and without colour.</summary>
    public static void Prepare()
    {
        if (!Console.IsOutputRedirected)
            return;
        AnsiConsole.Profile.Width = WidthOfFile;
        AnsiConsole.Profile.Capabilities.Ansi = false;
        AnsiConsole.Profile.Capabilities.ColorSystem = ColorSystem.NoColors;
    }

    public static void ShowLimits(MachineLimits limits, IEnumerable<int> threadCounts, int vectorBits)
    {
        var table = new Table().Title($"The machine's limits, {vectorBits}-bit vectors").AddColumns("threads", "peak GFLOP/s", "copy GB/s");
        foreach (var threads in threadCounts)
        {
            table.AddRow(
                threads.ToString(CultureInfo.InvariantCulture),
                Number(limits.FlopsPerSecond(threads) / 1e9, "F0"),
                Number(limits.BytesPerSecond(threads) / 1e9, "F1"));
        }

        AnsiConsole.Write(table);
    }

    public static void ShowLimits(DeviceLimits limits, string device)
    {
        var table = new Table().Title("The device's limits").AddColumns(
            "device", "matrix product GFLOP/s, fp32", "bf16", "copy GB/s");
        table.AddRow(
            device,
            Number(limits.FlopsPerSecond / 1e9, "F0"),
            Number(limits.BFloat16FlopsPerSecond / 1e9, "F0"),
            Number(limits.BytesPerSecond / 1e9, "F1"));
        AnsiConsole.Write(table);
    }

    /// <summary>Says where the GPU's benchmarks run, and what they are worth there.</summary>
    public static void ShowDevice(string description, bool isTrial, int scale)
    {
        AnsiConsole.MarkupLineInterpolated($"Device: {description}. Tokens, width and expert width divided by {scale}.");
        AnsiConsole.WriteLine(
            "fp32: products in single precision, TF32 off on both sides. bf16: weights in single precision, factors of products rounded to "
            + "bfloat16, as in training; a forward pass is then that of a training step on both sides, which keeps what a backward pass needs.");
        if (isTrial)
            AnsiConsole.MarkupLine("[yellow]TRIAL on the CPU: this shows that the benchmarks run. No figure below is one of a GPU.[/]");
    }

    public static void ShowReference(string? description)
    {
        if (description is not null)
            AnsiConsole.MarkupLineInterpolated($"Reference: {description}");
    }

    public static void ShowSkipped(string what, string reason) =>
        AnsiConsole.MarkupLineInterpolated($"[yellow]{what} skipped:[/] {reason}");

    public static void ShowProgress(Figure figure) =>
        AnsiConsole.WriteLine($"{figure.Id} {figure.Title}, threads {figure.Threads}: {Number(figure.Ratio, "F3")}");

    /// <summary>Shows the table.</summary>
    /// <param name="figures">Its rows.</param>
    /// <param name="shareOfLimit">Least possible time over the measured one, from work, seconds and threads.</param>
    /// <param name="title">Stands above it.</param>
    /// <param name="judges">Whether it says which goals are reached: they are a GPU's, so that a trial neither reaches nor misses one.</param>
    public static void ShowFigures(
        IReadOnlyList<Figure> figures, Func<Work, double, int, double> shareOfLimit, string title, bool judges = true)
    {
        if (figures.Count == 0)
            return;
        var table = new Table().Title(title).AddColumns(
            "id", "work", "threads", "ours ms", "reference ms", "of limit", "reference's", "ratio", "spread", "must reach", "");
        foreach (var figure in figures)
        {
            table.AddRow(
                figure.Id,
                Markup.Escape(figure.Title),
                figure.Threads.ToString(CultureInfo.InvariantCulture),
                Milliseconds(figure.Seconds),
                Milliseconds(figure.ReferenceSeconds),
                Share(shareOfLimit, figure.Work, figure.Seconds, figure.Threads),
                Share(shareOfLimit, figure.ReferenceWork ?? figure.Work, figure.ReferenceSeconds, figure.Threads),
                Number(figure.Ratio, "F3"),
                Number(figure.Spread, "F3"),
                figure.Bound is { } bound ? (bound.IsLower ? "≥ " : "≤ ") + Number(bound.Value, "F2") : None,
                figure.Bound is null || !judges ? "" : figure.IsReached ? "[green]reached[/]" : "[red]missed[/]");
        }

        AnsiConsole.Write(table);
    }

    private static string Share(Func<Work, double, int, double> shareOfLimit, Work? work, double? seconds, int threads) =>
        work is { } least && seconds is { } taken
            ? shareOfLimit(least, taken, threads).ToString("P0", CultureInfo.InvariantCulture)
            : None;

    private static string Milliseconds(double? seconds) => seconds is { } value ? Number(value * 1e3, "G4") : None;

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
