namespace Microsoft.ML.Moe.Tests.Cluster;

/// <summary>The short form; the long one is <c>dotnet run -c Release --project tests/Cluster.Tests</c>, see docs/reliability.md.</summary>
public sealed class KilledSweepTests
{
    [SkippableFact]
    public async Task A_sweep_whose_coordinator_is_killed_twice_ends_as_on_one_machine()
    {
        Skip.IfNot(RedisServer.IsThere, "There is no redis-server here.");
        var report = await KilledSweep.RunAsync(kills: 2, seed: 3);
        Assert.Equal(2, report.Kills);
        Assert.True(report.IsSame);
        Assert.Equal(1, report.MostEnds);
        Assert.InRange(report.Repeated, 0, report.Kills + report.Lost);
    }
}
