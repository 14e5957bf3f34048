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

    /// <summary>Runs it with arguments and gives what it has written.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message is the first line of its complaint.</exception>
    public static string Ask(IEnumerable<string> arguments)
    {
        if (StartInfo(arguments) is not { } start)
            throw new InvalidOperationException("The runtime does not know what it runs, so it cannot be started again.");
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"'{start.FileName}' did not start.");
        var complaint = process.StandardError.ReadToEndAsync();
        var answer = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? answer.Trim()
            : throw new InvalidOperationException(complaint.Result.Trim().Split('\n')[0].Trim());
    }
}
