using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.Cases;
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

    public static void ShowLimits(MachineLimits limits, IEnumerable<int> threadCounts)
    {
        var table = new Table().Title("The machine's limits").AddColumns("threads", "peak GFLOP/s", "copy GB/s");
        foreach (var threads in threadCounts)
        {
            table.AddRow(
                threads.ToString(CultureInfo.InvariantCulture),
                Number(limits.FlopsPerSecond(threads) / 1e9, "F0"),
                Number(limits.BytesPerSecond(threads) / 1e9, "F1"));
        }

        AnsiConsole.Write(table);
    }

    public static void ShowReference(string? description)
    {
        if (description is not null)
            AnsiConsole.MarkupLineInterpolated($"Reference: {description}");
    }

    public static void ShowSkipped(IBenchmark benchmark, string missing) =>
        AnsiConsole.MarkupLineInterpolated($"[yellow]{benchmark.Id} skipped:[/] {missing}");

    public static void ShowProgress(Figure figure) =>
        AnsiConsole.WriteLine($"{figure.Id} {figure.Title}, threads {figure.Threads}: {Number(figure.Ratio, "F3")}");

    public static void ShowFigures(IReadOnlyList<Figure> figures, MachineLimits limits)
    {
        if (figures.Count == 0)
            return;
        var table = new Table().Title("Median of paired ratios").AddColumns(
            "id", "work", "threads", "ours ms", "reference ms", "of limit", "reference's", "ratio", "spread", "must reach", "");
        foreach (var figure in figures)
        {
            table.AddRow(
                figure.Id,
                Markup.Escape(figure.Title),
                figure.Threads.ToString(CultureInfo.InvariantCulture),
                Milliseconds(figure.Seconds),
                Milliseconds(figure.ReferenceSeconds),
                Share(limits, figure.Work, figure.Seconds, figure.Threads),
                Share(limits, figure.ReferenceWork ?? figure.Work, figure.ReferenceSeconds, figure.Threads),
                Number(figure.Ratio, "F3"),
                Number(figure.Spread, "F3"),
                figure.Bound is { } bound ? (bound.IsLower ? "≥ " : "≤ ") + Number(bound.Value, "F2") : None,
                figure.Bound is null ? "" : figure.IsReached ? "[green]reached[/]" : "[red]missed[/]");
        }

        AnsiConsole.Write(table);
    }

    private static string Share(MachineLimits limits, Work? work, double? seconds, int threads) =>
        work is { } least && seconds is { } taken
            ? limits.Share(least, taken, threads).ToString("P0", CultureInfo.InvariantCulture)
            : None;

    private static string Milliseconds(double? seconds) => seconds is { } value ? Number(value * 1e3, "G4") : None;

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
