using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.Moe.Tests.Cluster;

/// <summary>A Redis server of its own, on loopback, that keeps nothing on disk.</summary>
internal sealed class RedisServer : IDisposable
{
    private const string Program = "redis-server";
    private readonly Process _process;

    /// <summary>Starts it, and waits until it takes connections.</summary>
    /// <param name="folder">Its working folder.</param>
    public RedisServer(string folder)
    {
        Port = Silos.FreePort();
        string[] args =
        [
            "--port", Port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder,
        ];
        _process = Process.Start(new ProcessStartInfo(Program, args) { RedirectStandardOutput = true })!;
        var lines = new List<string>();
        while (_process.StandardOutput.ReadLine() is { } line)
        {
            lines.Add(line);
            if (line.Contains("Ready to accept connections", StringComparison.Ordinal))
            {
                // what it says further must not fill the pipe
                _process.StandardOutput.ReadToEndAsync();
                return;
            }
        }

        throw new InvalidOperationException(string.Join('\n', lines));
    }

    /// <summary>Whether there is the program.</summary>
    public static bool IsThere
    {
        get
        {
            try
            {
                using var process = Process.Start(new ProcessStartInfo(Program, ["--version"]) { RedirectStandardOutput = true })!;
                process.WaitForExit();
                return process.ExitCode == 0;
            }
            catch (Win32Exception)
            {
                return false;
            }
        }
    }

    /// <summary>Where it listens.</summary>
    public int Port { get; }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
