using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.Moe.Benchmarks.References;

/// <summary>
/// PyTorch in a process of its own, where it is installed: <c>pytorch/reference.py</c> waits for lines such as "case threads
/// repeats" and answers with the seconds that one run took, so that its rounds alternate with ours.
/// </summary>
internal sealed class PyTorch : IDisposable
{
    private const string Error = "error: ";

    private static readonly Lazy<PyTorch?> Shared = new(Start);
    private readonly Process _process;

    private PyTorch(Process process, string version)
    {
        _process = process;
        Version = version;
    }

    /// <summary>The process that timings share; null when Python or PyTorch is not installed.</summary>
    public static PyTorch? Instance => Shared.Value;

    /// <summary>Number of the process.</summary>
    public int ProcessId => _process.Id;

    /// <summary>PyTorch's version.</summary>
    public string Version { get; }

    /// <summary>Starts a process; null when Python or PyTorch is not installed.</summary>
    // A Python of the user's own may come first in the path and lack what the system's has.
    public static PyTorch? Start() => Start("python3") ?? Start("/usr/bin/python3");

    /// <summary>Runs a case and gives the seconds that one run took.</summary>
    public double Run(string name, int threads, int repeats) =>
        double.Parse(Ask($"{name} {threads} {repeats}"), CultureInfo.InvariantCulture);

    /// <summary>Why experts cannot be run in a way and a precision on a device; null where they can.</summary>
    public string? WhyNot(string way, string precision, string device) =>
        Ask($"why-not {way} {precision} {device}") is { Length: > 0 } reason ? reason : null;

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }

    private string Ask(string line)
    {
        string? answer = null;
        try
        {
            _process.StandardInput.WriteLine(line);
            _process.StandardInput.Flush();
            answer = _process.StandardOutput.ReadLine();
        }
        catch (IOException)
        {
            // It is no more; nor is there an answer then.
        }

        if (answer is null)
            throw new InvalidOperationException($"PyTorch stopped at '{line}'.");
        return answer.StartsWith(Error, StringComparison.Ordinal)
            ? throw new InvalidOperationException($"PyTorch at '{line}': {answer[Error.Length..]}")
            : answer;
    }

    private static PyTorch? Start(string python)
    {
        var start = new ProcessStartInfo(python)
        {
            ArgumentList = { Path.Combine(AppContext.BaseDirectory, "pytorch", "reference.py") },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            var process = System.Diagnostics.Process.Start(start);
            if (process is null)
                return null;
            process.ErrorDataReceived += (_, _) => { };
            process.BeginErrorReadLine();
            return process.StandardOutput.ReadLine() is { } version ? new PyTorch(process, version) : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
