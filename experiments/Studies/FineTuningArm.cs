using System.Globalization;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>A way to fine-tune.</summary>
/// <param name="Name">Name in logs and tables.</param>
/// <param name="Workspace">Which tokens are broadcast to all experts; null for none.</param>
internal sealed record FineTuningArm(string Name, GlobalWorkspaceSettings? Workspace)
{
    /// <summary>The paper's threshold for GLUE, 1.6 nats for 8 experts, as a share of the largest entropy.</summary>
    public const double PaperThreshold = 0.77;

    private const double TokenShare = 0.2;

    public static FineTuningArm Standard { get; } = new("standard", null);

    public static FineTuningArm All { get; } = new("all tokens", new GlobalWorkspaceSettings(0));

    public static FineTuningArm Uncertain { get; } = WithThreshold(PaperThreshold);

    public static FineTuningArm Random { get; } = RandomFor(Uncertain);

    /// <summary>As <see cref="Uncertain"/>, with the threshold of each layer set so that a fifth of the tokens is uncertain.</summary>
    public static FineTuningArm UncertainFifth { get; } =
        new("uncertain, 20 % of the tokens", new GlobalWorkspaceSettings(TokenShare, EntropyUnit.ShareOfTokens));

    public static FineTuningArm RandomFifth { get; } = RandomFor(UncertainFifth);

    public static IReadOnlyList<FineTuningArm> Main { get; } = [Standard, Uncertain, Random, UncertainFifth, RandomFifth, All];

    /// <summary>Broadcast of the tokens whose entropy reaches a share of the largest.</summary>
    public static FineTuningArm WithThreshold(double share) =>
        new($"uncertain, H* = {share.ToString(CultureInfo.InvariantCulture)} ln N", new GlobalWorkspaceSettings(share));

    private static FineTuningArm RandomFor(FineTuningArm uncertain) =>
        new($"random, as many as {uncertain.Name}", uncertain.Workspace! with { Tokens = GlobalWorkspaceTokens.Random });

    public override string ToString() => Name;
}
