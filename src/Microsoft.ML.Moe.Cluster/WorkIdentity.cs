using System.Reflection;
using Microsoft.ML.Moe.Sweeps.Journal;

namespace Microsoft.ML.Moe.Cluster;

/// <summary>What coordinator and workers must have in common.</summary>
/// <param name="Library">Version of the library.</param>
/// <param name="Table">Digest of the table.</param>
/// <param name="Definition">Seed, metric and space in words.</param>
[GenerateSerializer]
[Alias("MlNetMoe.WorkIdentity")]
internal sealed record WorkIdentity([property: Id(0)] string Library, [property: Id(1)] string Table, [property: Id(2)] string Definition)
{
    /// <summary>That of a table in this process.</summary>
    public static WorkIdentity Of(SweepLine sweep, IDataView table) => new(
        typeof(SweepResult).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown",
        TableDigest.Of(table),
        $"seed {sweep.Seed}, {sweep.Metric}, {sweep.Space}; rows {sweep.Rows}");

    /// <summary>In what a worker differs from its coordinator; null for nothing.</summary>
    /// <param name="own">The worker's own.</param>
    public string? Refusal(WorkIdentity own) =>
        Library != own.Library ? $"it has version {own.Library} of the library, not {Library}: install the same on all machines"
        : Table != own.Table ? $"its table is {own.Table}, not {Table}: give all machines the same file, and read it in the same way"
        : Definition != own.Definition ? $"its sweep is ({own.Definition}), not ({Definition}): start the same program on all machines"
        : null;
}
