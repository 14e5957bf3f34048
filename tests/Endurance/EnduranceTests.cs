using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Tests.Endurance;

/// <summary>The short form; the long one is <c>dotnet run -c Release --project tests/Endurance</c>, see docs/reliability.md.</summary>
public class EnduranceTests
{
    [Fact]
    public void ATrainingThatIsKilledTwentyTimesEndsAsIfNothingHadHappened()
    {
        var report = KilledTraining.Run(kills: 20, whileWriting: false);

        Assert.Equal(20, report.Kills);
        Assert.True(report.IsWhole);
    }

    [Fact]
    public void ATrainingThatIsKilledWhileItWritesItsCheckpointEndsAsIfNothingHadHappened()
    {
        var report = KilledTraining.Run(kills: 3, whileWriting: true);

        Assert.InRange(report.Kills, 1, 3);
        Assert.True(report.IsWhole);
        Assert.Equal(["training.checkpoint", "weights.bin"], report.Files.Order());
    }

    [Fact]
    public void AModelWhoseSavingIsKilledIsTheOldOrTheNewOne() => Assert.True(KilledSaving.Run(kills: 2).IsWhole);

    [Fact]
    public void ASweepThatIsKilledFiveTimesFindsTheSameModel()
    {
        var report = KilledSweep.Run(kills: 5);

        Assert.InRange(report.Kills, 1, 5);
        Assert.True(report.IsWhole);
        Assert.DoesNotContain(report.Files, name => name.EndsWith(AtomicFile.DraftSuffix, StringComparison.Ordinal));
    }

    [SkippableFact]
    public void AFullDiskCostsNeitherTheTrainingNorTheOldModel()
    {
        Skip.IfNot(FullDisk.IsPossible, "Processes may not mount file systems of their own here.");
        Assert.Equal("", FullDisk.Run());
    }

    [Fact]
    public void ThirtyTwoThreadsPredictTheSameBits() => Assert.Equal(0, ManyThreads.Run(threads: 32, predictions: 50));

    /// <summary>What was kept of each training, 50 KiB or more, would show after a hundred of them.</summary>
    [Fact]
    public void TrainingsGiveTheirMemoryBack()
    {
        var growth = Soak.Fit(fits: 125);

        Assert.InRange(growth.Process, 1, long.MaxValue);
        Assert.InRange(growth.ProcessAfter - growth.Process, long.MinValue, 5 << 20);
    }
}
