using Microsoft.ML;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Runtime;
using Spectre.Console;

namespace MoeTool;

/// <summary>Where a command reads and writes.</summary>
/// <param name="Output">Results and progress.</param>
/// <param name="Error">Failures.</param>
/// <param name="Input">What is typed, or another program's output.</param>
/// <param name="InputIsTyped">Whether a line may be answered before the next one is there.</param>
internal sealed record ToolConsole(IAnsiConsole Output, TextWriter Error, TextReader Input, bool InputIsTyped = false)
{
    /// <summary>Whether somebody may be watching, so that a line may change after it was written.</summary>
    public bool IsLive => Output.Profile.Capabilities.Interactive && Output.Profile.Out.IsTerminal;

    /// <summary>The console of this process; lines of a redirected output are not folded.</summary>
    public static ToolConsole OfProcess()
    {
        if (Console.IsOutputRedirected)
            AnsiConsole.Profile.Width = 1000;
        return new ToolConsole(AnsiConsole.Console, Console.Error, Console.In, !Console.IsInputRedirected);
    }

    /// <summary>Writes a line, above the progress bar if there is one.</summary>
    public void Line(string text = "") => Output.WriteLine(text);

    /// <summary>Writes what the routers did.</summary>
    public void Write(RoutingReport report) => Output.Write(new Text(report.ToText()));

    /// <summary>Writes what other routers would do.</summary>
    public void Write(IEnumerable<RoutingComparison> comparisons) => Output.Write(new Text(comparisons.ToText()));

    /// <summary>Shows what the library says while it works.</summary>
    public void ShowMessages(MLContext ml) => ml.Log += (_, message) =>
    {
        if (message.Kind >= ChannelMessageKind.Info && message.Source.Contains("Moe", StringComparison.Ordinal))
            Line((message.Kind == ChannelMessageKind.Info ? "" : $"{message.Kind}: ") + message.RawMessage);
    };
}

/// <summary>Files that a command writes.</summary>
internal static class OutputFile
{
    /// <summary>The full path of a file, made sure that it can be written, before time goes into training; null stays null.</summary>
    /// <exception cref="UserException">The path is a folder.</exception>
    public static string? Prepare(string? file, string option)
    {
        if (file is null)
            return null;
        var path = Path.GetFullPath(file);
        if (Directory.Exists(path))
            throw new UserException($"'{file}' is a folder; {option} takes the path of a file.");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var probe = File.Create(path + ".tmp", 1, FileOptions.DeleteOnClose);
        return path;
    }

    /// <summary>Writes lines to a file, and tells where they are; without a file, to the console as they are.</summary>
    public static void Write(ToolConsole console, IEnumerable<string> lines, string? file, string what)
    {
        if (file is not null)
        {
            File.WriteAllLines(file, lines);
            console.Line($"{what}: {file}");
            return;
        }

        foreach (var line in lines)
            console.Output.Profile.Out.Writer.WriteLine(line);
    }
}
