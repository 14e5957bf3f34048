using Microsoft.ML.Moe.Cluster;

namespace Microsoft.ML.Moe.Tests.Cluster;

/// <summary>What a worker must have in common with its coordinator, and how a silo may take part.</summary>
public sealed class WorkIdentityTests
{
    private static readonly WorkIdentity Coordinator = new("1.0+a", "120 rows 0a", "seed 1");

    [Fact]
    public void A_worker_that_differs_is_told_in_what_and_what_to_do()
    {
        Assert.Null(Coordinator.Refusal(Coordinator with { }));
        foreach (var (other, told) in new (WorkIdentity, string[])[]
        {
            (Coordinator with { Library = "1.0+b" }, ["version 1.0+b", "not 1.0+a", "install the same"]),
            (Coordinator with { Table = "119 rows 0b" }, ["119 rows 0b", "not 120 rows 0a", "the same file"]),
            (Coordinator with { Definition = "seed 2" }, ["(seed 2)", "not (seed 1)", "the same program"]),
        })
            Assert.All(told, part => Assert.Contains(part, Coordinator.Refusal(other), StringComparison.Ordinal));
    }

    [Fact]
    public void Options_out_of_their_ranges_are_named()
    {
        new MoeClusterOptions().Validate();
        foreach (var (name, change) in new (string, Action<MoeClusterOptions>)[]
        {
            (nameof(MoeClusterOptions.Workers), options => options.Workers = -1),
            (nameof(MoeClusterOptions.LeaseDuration), options => options.LeaseDuration = TimeSpan.FromMilliseconds(999)),
            (nameof(MoeClusterOptions.PollInterval), options => options.PollInterval = TimeSpan.Zero),
        })
        {
            var options = new MoeClusterOptions();
            change(options);
            Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(options.Validate).ParamName);
        }
    }
}
