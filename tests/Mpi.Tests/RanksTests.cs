using System.Text.RegularExpressions;

namespace Microsoft.ML.Moe.Tests.Mpi;

/// <summary>Real ranks on this machine, of the MPI libraries that are installed.</summary>
public sealed partial class RanksTests
{
    [SkippableTheory]
    [InlineData("mpirun.openmpi", "Open MPI")]
    [InlineData("mpirun.mpich", "MPICH")]
    public void OneTwoAndFourRanksTrainOneModel(string command, string library)
    {
        MpiRun.SkipWithout(command);
        var digests = new HashSet<string>();
        foreach (var ranks in new[] { 1, 2, 4 })
        {
            var (code, output) = MpiRun.Start(command, ranks);
            Assert.True(code == 0, output);
            var models = Model().Matches(output);
            Assert.True(models.Count == ranks, output);
            Assert.Contains(library, output, StringComparison.Ordinal);
            digests.UnionWith(models.Select(match => match.Groups[1].Value));
        }

        Assert.Single(digests);
    }

    [SkippableTheory]
    [InlineData("mpirun.openmpi")]
    [InlineData("mpirun.mpich")]
    public void AKilledRankEndsTheOthersAndTheNextStartGoesOn(string command)
    {
        MpiRun.SkipWithout(command);
        using var folder = new TemporaryFolder();
        var expected = Model().Match(MpiRun.Start(command, 1).Output).Groups[1].Value;
        var (code, output) = MpiRun.Start(command, 2, folder["training.checkpoint"], "2");
        Assert.NotEqual(0, code);
        Assert.DoesNotMatch(Model(), output);
        Assert.True(File.Exists(folder["training.checkpoint"]), output);

        (code, output) = MpiRun.Start(command, 2, folder["training.checkpoint"]);
        Assert.True(code == 0, output);
        Assert.Equal([expected, expected], Model().Matches(output).Select(match => match.Groups[1].Value));
    }

    [GeneratedRegex("model ([0-9A-F]{64}) of rank")]
    private static partial Regex Model();
}
