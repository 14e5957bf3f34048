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

    [SkippableTheory]
    [InlineData("mpirun.openmpi")]
    [InlineData("mpirun.mpich")]
    public void WhatOneRankThrowsIsThrownOnAll(string command)
    {
        MpiRun.SkipWithout(command);
        using var folder = new TemporaryFolder();
        var (code, output) = MpiRun.Start(command, 2, folder["training.checkpoint"], "2", "throws");
        Assert.NotEqual(0, code);
        Assert.DoesNotMatch(Model(), output);
        Assert.Contains("rank 1 caught: the application's own", output, StringComparison.Ordinal);
        Assert.Contains("rank 0 caught: Rank 1 has failed", output, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("mpirun.openmpi", "OMPI_COMM_WORLD_SIZE")]
    [InlineData("mpirun.mpich", "PMI_SIZE")]
    public void ProcessesThatDoNotFindEachOtherAreRefused(string command, string variable)
    {
        MpiRun.SkipWithout(command);
        var (code, output) = MpiRun.StartAlone(variable, "2");
        Assert.NotEqual(0, code);
        Assert.Contains("mpirun has started 2 processes", output, StringComparison.Ordinal);
    }

    [GeneratedRegex("model ([0-9A-F]{64}) of rank")]
    private static partial Regex Model();
}
