using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.ML.Moe.Cluster;
using Orleans.Configuration;
using Orleans.Hosting;

namespace Microsoft.ML.Moe.Tests.Cluster;

/// <summary>Silos within this process, on loopback.</summary>
internal static class Silos
{
    /// <summary>Makes a host with a silo.</summary>
    /// <param name="primary">Port of the silo that knows all others; its own for the first.</param>
    /// <param name="port">Port of this silo.</param>
    /// <param name="add">Its sweeps.</param>
    /// <param name="configure">Changes the options of workers.</param>
    /// <param name="log">Where it logs; nowhere by default.</param>
    public static IHost Build(
        int primary, int port, Action<MoeSweepCollection> add, Action<MoeClusterOptions>? configure = null, ILoggerProvider? log = null) =>
        Of(
            silo => silo
                .UseLocalhostClustering(port, FreePort(), new IPEndPoint(IPAddress.Loopback, primary), "moe", "moe")
                .AddMoeSweeps(add, configure),
            log);

    /// <summary>Makes a host with a silo that membership is up to.</summary>
    public static IHost Of(Action<ISiloBuilder> silo, ILoggerProvider? log = null) => new HostBuilder()
        .UseOrleans(silo)
        .ConfigureLogging(logging =>
        {
            logging.ClearProviders();
            if (log is not null)
                logging.AddProvider(log);
        })
        .Build();

    /// <summary>Ends silos, the latest first.</summary>
    public static void Stop(IEnumerable<IHost> hosts)
    {
        foreach (var host in hosts.Reverse())
        {
            host.StopAsync().GetAwaiter().GetResult();
            host.Dispose();
        }
    }

    /// <summary>A port that nobody listens on.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Finds dead silos sooner than is usual.</summary>
    public static void Hasten(ClusterMembershipOptions options)
    {
        (options.ProbeTimeout, options.NumMissedProbesLimit) = (TimeSpan.FromSeconds(2), 3);
        (options.TableRefreshTimeout, options.NumVotesForDeathDeclaration) = (TimeSpan.FromSeconds(5), 1);
    }
}
