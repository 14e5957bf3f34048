using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Hosting;
using Microsoft.ML.Moe.Cluster;
using Microsoft.ML.Moe.Tests.Sweeps;
using Orleans.Configuration;
using Orleans.Hosting;
using StackExchange.Redis;

namespace Microsoft.ML.Moe.Tests.Cluster;

/// <summary>
/// This program once more, as a silo that is to be killed: it tells of each epoch in a line, before the coordinator hears of it and after, and
/// goes on when it is answered, or at the end of its input. Each epoch that it has trained is a line of a file too.
/// </summary>
internal sealed class SiloProcess : IDisposable
{
    /// <summary>What the child is told to do.</summary>
    public const string Verb = "silo";

    private const string Started = "started";
    private readonly Process _process;
    private Task<string?> _line;

    private SiloProcess(Process process)
    {
        _process = process;
        _line = process.StandardOutput.ReadLineAsync();
    }

    /// <summary>Starts it, and waits until it is one of the cluster.</summary>
    public static SiloProcess Start(int redis, string folder)
    {
        for (var attempt = 1; ; attempt++)
        {
            var process = Process.Start(new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                ArgumentList =
                {
                    "exec", typeof(SiloProcess).Assembly.Location, Verb, redis.ToString(CultureInfo.InvariantCulture), folder,
                },
            })!;
            var line = process.StandardOutput.ReadLine();
            if (line == Started)
                return new SiloProcess(process);
            // somebody else may have taken a port that was free
            var output = $"{line}\n{process.StandardOutput.ReadToEnd()}";
            process.Dispose();
            if (attempt == 3)
                throw new InvalidOperationException($"The silo has not started: {output}");
        }
    }

    /// <summary>Number of the process.</summary>
    public int Id => _process.Id;

    /// <summary>Is over when the process tells of an epoch, or has ended.</summary>
    public Task Told => _line;

    /// <summary>Lets it go on.</summary>
    /// <returns>Whether it had told of an epoch, not ended.</returns>
    public bool Answer()
    {
        if (_line.GetAwaiter().GetResult() is null)
            return false;
        _line = _process.StandardOutput.ReadLineAsync();
        try
        {
            _process.StandardInput.WriteLine();
            _process.StandardInput.Flush();
        }
        catch (IOException)
        {
            // it has just ended, which the next line tells
        }

        return true;
    }

    /// <summary>Lets it go on for ever.</summary>
    public void LetGo()
    {
        _process.StandardInput.Close();
        _ = ReadAsync();

        async Task ReadAsync()
        {
            while (await _line is not null)
                _line = _process.StandardOutput.ReadLineAsync();
        }
    }

    /// <summary>Kills it where it stands.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Dispose()
    {
        Kill();
        _process.Dispose();
    }

    /// <summary>Options of a cluster's clients and silos.</summary>
    public static void Connect(ConfigurationOptions redis, int port)
    {
        redis.EndPoints.Add("127.0.0.1", port);
        (redis.AbortOnConnectFail, redis.ConnectTimeout, redis.SyncTimeout, redis.AsyncTimeout) = (false, 60_000, 60_000, 60_000);
    }

    /// <summary>The child.</summary>
    public static async Task<int> RunAsync(string port, string folder)
    {
        var redis = int.Parse(port, CultureInfo.InvariantCulture);
        using var host = Silos.Of(silo =>
        {
            silo.UseRedisClustering(options => Connect(options.ConfigurationOptions = new(), redis))
                .ConfigureEndpoints(System.Net.IPAddress.Loopback, Silos.FreePort(), Silos.FreePort())
                .Configure<ClusterOptions>(KilledSweep.Name)
                .Configure<ClusterMembershipOptions>(Silos.Hasten)
                .Configure<SiloMessagingOptions>(options => options.ResponseTimeout = TimeSpan.FromSeconds(10))
                .AddMoeSweeps(
                    sweeps => sweeps.Add(KilledSweep.Sweep, ml => TinySweeps.Table(ml), ml => KilledSweep.Define(ml, folder)),
                    KilledSweep.Configure);
        });
        await host.StartAsync();
        Console.Out.WriteLine(Started);
        await host.WaitForShutdownAsync();
        return 0;
    }

    /// <summary>In the child: tells of an epoch, and waits for the answer.</summary>
    public static void Tell()
    {
        Console.Out.WriteLine("epoch");
        Console.In.ReadLine();
    }
}
