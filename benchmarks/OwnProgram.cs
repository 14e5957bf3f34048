using System.Diagnostics;

namespace Microsoft.ML.Moe.Benchmarks;

/// <summary>This program, for what needs a process of its own.</summary>
internal static class OwnProgram
{
    /// <summary>How to start it again; null where the runtime does not know what it runs.</summary>
    public static ProcessStartInfo? StartInfo(IEnumerable<string> arguments)
    {
        if (Environment.ProcessPath is not { } program)
            return null;
        var start = new ProcessStartInfo(program);
        // Either the program's own executable or dotnet with the program's assembly.
        if (Path.GetFileNameWithoutExtension(program) == "dotnet")
            start.ArgumentList.Add(Environment.GetCommandLineArgs()[0]);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        return start;
    }

    /// <summary>Runs it with arguments; past a time it is ended, with all that it has started.</summary>
    /// <param name="arguments">The arguments.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="onLine">Gets each line that it writes, as soon as it is written.</param>
    /// <returns>What went wrong; null if nothing.</returns>
    public static string? Run(IEnumerable<string> arguments, TimeSpan limit, Action<string> onLine)
    {
        if (StartInfo(arguments) is not { } start)
            return "The runtime does not know what it runs, so it cannot be started again.";
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        using var process = new Process { StartInfo = start };
        var lastComplaint = "";
        process.OutputDataReceived += (_, line) => Receive(line.Data, onLine);
        // Not where an exception passed through.
        process.ErrorDataReceived += (_, line) => Receive(line.Data, text => lastComplaint = text.StartsWith(' ') ? lastComplaint : text);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (!process.WaitForExit(limit))
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            return $"It was ended after {limit.TotalSeconds:F0} s.";
        }

        // Without a limit this also waits for the last lines.
        process.WaitForExit();
        return process.ExitCode == 0 ? null : $"It ended with code {process.ExitCode}. {lastComplaint}".TrimEnd();
    }

    private static void Receive(string? line, Action<string> onLine)
    {
        if (!string.IsNullOrWhiteSpace(line))
            onLine(line);
    }
}
