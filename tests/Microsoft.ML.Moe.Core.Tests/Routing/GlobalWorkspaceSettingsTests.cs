using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tests.Routing;

public class GlobalWorkspaceSettingsTests
{
    private static readonly TokenChoice Inner = new(1, normalizeWeights: false);

    [Theory]
    [InlineData(1.6, EntropyUnit.Nats, 1.6)]
    [InlineData(0.77, EntropyUnit.ShareOfMaximum, 1.601)] // the paper's 1.6 for 8 experts
    [InlineData(0.87, EntropyUnit.ShareOfMaximum, 1.809)]
    [InlineData(0.2, EntropyUnit.ShareOfTokens, 1.25)] // as calibrated
    public void TheThresholdIsTakenInItsUnit(double threshold, EntropyUnit unit, double nats)
    {
        var settings = new GlobalWorkspaceSettings(
            threshold, unit, 8, null, GlobalWorkspaceTokens.Random);

        settings.Check(8);
        var workspace = Assert.IsType<GlobalWorkspace>(settings.Apply(Inner, block: 3, experts: 8, calibratedNats: 1.25));

        Assert.Equal(nats, workspace.EntropyThreshold, 0.001);
        Assert.Equal(8, workspace.MaxTokensPerSequence);
        Assert.Equal(GlobalWorkspaceTokens.Random, workspace.Tokens);
    }

    [Fact]
    public void OnlyTheNamedBlocksTakePart()
    {
        var settings = new GlobalWorkspaceSettings(0.8, Blocks: [1, 3]);

        settings.Check(8, [1, 3, 5]);

        Assert.IsType<GlobalWorkspace>(settings.Apply(Inner, 1, 8));
        Assert.IsType<GlobalWorkspace>(settings.Apply(Inner, 3, 8));
        Assert.Same(Inner, settings.Apply(Inner, 5, 8));
    }

    [Theory]
    [InlineData(EntropyUnit.Nats, 1.6, 1.2, 1.6, 1.2)]
    [InlineData(EntropyUnit.ShareOfMaximum, 0.8, 0.6, 1.664, 1.248)] // of ln 8 = 2.079
    public void BlocksMayHaveThresholdsOfTheirOwn(EntropyUnit unit, double threshold, double ofBlock, double nats, double natsOfBlock)
    {
        var settings = new GlobalWorkspaceSettings(threshold, unit) { BlockThresholds = new Dictionary<int, double> { [3] = ofBlock } };

        settings.Check(8, [1, 3, 5]);

        Assert.Equal(natsOfBlock, NatsOf(3), 1e-3);
        Assert.Equal(nats, NatsOf(1), 1e-3);
        Assert.Equal(nats, NatsOf(5), 1e-3);

        double NatsOf(int block) => Assert.IsType<GlobalWorkspace>(settings.Apply(Inner, block, 8)).EntropyThreshold;
    }

    [Fact]
    public void NoNamedBlocksMeanNone() => Assert.Same(Inner, new GlobalWorkspaceSettings(0.8, Blocks: []).Apply(Inner, 1, 8));

    [Fact]
    public void AShareOfTokensHasToBeCalibrated() => Assert.Throws<ArgumentNullException>(
        () => new GlobalWorkspaceSettings(0.2, EntropyUnit.ShareOfTokens).Apply(Inner, 1, 8));

    private static GlobalWorkspaceSettings WithOwn(int block, double threshold) =>
        new(0.8) { BlockThresholds = new Dictionary<int, double> { [block] = threshold } };

    public static TheoryData<GlobalWorkspaceSettings, string> Impossible => new()
    {
        { new GlobalWorkspaceSettings(double.NaN, EntropyUnit.Nats), nameof(GlobalWorkspaceSettings.Threshold) },
        { new GlobalWorkspaceSettings(double.PositiveInfinity, EntropyUnit.Nats), nameof(GlobalWorkspaceSettings.Threshold) },
        { new GlobalWorkspaceSettings(1.6), nameof(GlobalWorkspaceSettings.Threshold) },
        { new GlobalWorkspaceSettings(-0.1, EntropyUnit.ShareOfTokens), nameof(GlobalWorkspaceSettings.Threshold) },
        { new GlobalWorkspaceSettings(0.8, (EntropyUnit)7), nameof(GlobalWorkspaceSettings.Unit) },
        { new GlobalWorkspaceSettings(0.8, MaxTokensPerSequence: -1), nameof(GlobalWorkspaceSettings.MaxTokensPerSequence) },
        { new GlobalWorkspaceSettings(0.8, Blocks: [1, 2]), nameof(GlobalWorkspaceSettings.Blocks) },
        { new GlobalWorkspaceSettings(0.8, Tokens: (GlobalWorkspaceTokens)7), nameof(GlobalWorkspaceSettings.Tokens) },
        { WithOwn(3, 1.6), nameof(GlobalWorkspaceSettings.BlockThresholds) + "[3]" },
        { WithOwn(3, double.NaN), nameof(GlobalWorkspaceSettings.BlockThresholds) + "[3]" },
        { WithOwn(2, 0.5), nameof(GlobalWorkspaceSettings.BlockThresholds) },
        { WithOwn(3, 0.5) with { Blocks = [1] }, nameof(GlobalWorkspaceSettings.BlockThresholds) },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public void ImpossibleSettingsAreRefusedByName(GlobalWorkspaceSettings settings, string member)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => settings.Check(8, [1, 3]));

        Assert.Equal(member, error.ParamName);
        Assert.Contains(member, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AThresholdInNatsThatIsTakenForAShareIsExplained()
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => new GlobalWorkspaceSettings(1.6).Check(8));

        Assert.Contains("set Unit to Nats", error.Message, StringComparison.Ordinal);
        Assert.Contains("2.079", error.Message, StringComparison.Ordinal);
    }
}
