using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Microsoft.ML;

namespace Samples.Tests;

/// <summary>The sample of a sweep on several machines: two processes, on loopback.</summary>
public sealed class ClusterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<Process> _processes = [];

    public void Dispose()
    {
        foreach (var process in _processes)
        {
            process.Kill();
            process.WaitForExit();
            process.Dispose();
        }

        _folder.Dispose();
    }

    [Fact]
    public void A_worker_and_a_coordinator_sweep()
    {
        var primary = FreePort();
        var worker = Start("worker", primary, primary);
        string? line;
        while ((line = worker.StandardOutput.ReadLine()) is not null && !line.Contains("trains until", StringComparison.Ordinal))
        {
        }

        Assert.NotNull(line);
        _ = worker.StandardOutput.ReadToEndAsync();
        var coordinator = Start("coordinator", FreePort(), primary);
        var output = coordinator.StandardOutput.ReadToEnd();
        coordinator.WaitForExit();
        Assert.True(coordinator.ExitCode == 0, output);
        Assert.Matches(@"(?m)^Best RMSE: \d+\.\d+ doublings, trial \d of 2\r?$", output);
        Assert.NotNull(new MLContext().Model.Load(_folder["methods.zip"], out _));
        Assert.True(File.Exists(_folder["methods.html"]));
    }

    [Fact]
    public void It_is_one_short_program()
    {
        var folder = Path.Combine(Path.GetDirectoryName(SourceFile())!, "..", "..", "samples", "Cluster");
        Assert.Equal(["Program.cs"], Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories).Select(Path.GetFileName));
        Assert.InRange(File.ReadAllLines(Path.Combine(folder, "Program.cs")).Length, 20, 80);
    }

    private static string SourceFile([CallerFilePath] string file = "") => file;

    private static string Program()
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        return Path.Combine(own.Parent!.Parent!.FullName, "Cluster", own.Name, "Cluster.dll");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private Process Start(string role, int port, int primary)
    {
        string[] args =
        [
            "exec", Program(), role, "--shared", _folder.Path, "--rows", "100", "--trials", "2",
            "--port", port.ToString(CultureInfo.InvariantCulture), "--primary", primary.ToString(CultureInfo.InvariantCulture),
        ];
        var process = Process.Start(new ProcessStartInfo("dotnet", args) { RedirectStandardOutput = true })!;
        _processes.Add(process);
        return process;
    }
}
