using System.Diagnostics;

namespace Microsoft.ML.Moe.Tests.Endurance;

/// <summary>This program, started again to be killed: it tells of every step in a line, and goes on when it is answered.</summary>
internal sealed class Child : IDisposable
{
    private readonly Process _process;
    private Task<string?> _line;

    /// <summary>Starts it.</summary>
    /// <param name="wrapper">What it is started under, such as <c>unshare</c> with its arguments; nothing for nothing.</param>
    /// <param name="args">What it is to do.</param>
    public Child(string[] wrapper, params string[] args)
        : this([], wrapper, args)
    {
    }

    /// <summary>Starts it in another environment.</summary>
    /// <param name="variables">What it has beside this process's environment.</param>
    /// <param name="wrapper">What it is started under.</param>
    /// <param name="args">What it is to do.</param>
    public Child(Dictionary<string, string> variables, string[] wrapper, string[] args)
    {
        var host = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        string[] command = [.. wrapper, host, "exec", typeof(Child).Assembly.Location, .. args];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var (name, value) in variables)
            start.Environment[name] = value;
        _process = Process.Start(start)!;
        _line = _process.StandardOutput.ReadLineAsync();
    }

    /// <summary>Waits for a line; null where the process has ended.</summary>
    public string? Read()
    {
        var line = _line.GetAwaiter().GetResult();
        if (line is not null)
            _line = _process.StandardOutput.ReadLineAsync();
        return line;
    }

    /// <summary>Lets it go on.</summary>
    public void Answer()
    {
        _process.StandardInput.WriteLine();
        _process.StandardInput.Flush();
    }

    /// <summary>Waits until a file appears, or is another than it was; but no longer than for the next line.</summary>
    /// <param name="path">The file.</param>
    /// <param name="before">When it was written last, before.</param>
    /// <returns>Whether it did.</returns>
    public bool WaitFor(string path, DateTime before) => WaitUntil(() => File.GetLastWriteTimeUtc(path) != before && File.Exists(path));

    /// <summary>Waits until something has happened; but no longer than for the next line.</summary>
    /// <returns>Whether it has.</returns>
    public bool WaitUntil(Func<bool> hasHappened)
    {
        while (!_line.IsCompleted)
            if (hasHappened())
                return true;
        return false;
    }

    /// <summary>Kills it where it stands.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    /// <summary>Lets it run to its end.</summary>
    /// <returns>Its exit code, and what it has written since.</returns>
    public (int Code, string Output) Finish()
    {
        _process.StandardInput.Close();
        var lines = new List<string>();
        while (Read() is { } line)
            lines.Add(line);
        _process.WaitForExit();
        return (_process.ExitCode, string.Join('\n', lines));
    }

    /// <summary>In the child: tells of a step, and waits for the answer.</summary>
    public static void Tell(string line)
    {
        Console.Out.WriteLine(line);
        Console.In.ReadLine();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            Kill();
        _process.Dispose();
    }
}
