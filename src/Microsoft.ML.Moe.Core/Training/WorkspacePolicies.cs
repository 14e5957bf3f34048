using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// The policies of a model's blocks while it is trained with a global workspace. A threshold that is a share of tokens follows the
/// router as it learns: it is calibrated anew before each epoch.
/// </summary>
/// <param name="settings">What was asked for.</param>
/// <param name="experts">Experts in a MoE layer, N.</param>
/// <param name="moeBlocks">Numbers of the blocks with a MoE layer.</param>
/// <param name="encoderLayers">Number of the encoder's blocks; those from there on are a decoder's.</param>
internal sealed class WorkspacePolicies(
    GlobalWorkspaceSettings settings, int experts, IReadOnlyList<int> moeBlocks, int encoderLayers = int.MaxValue)
{
    /// <summary>Rows, evenly spread over the training set, that a calibration looks at.</summary>
    private const int CalibrationRows = 2048;

    private readonly Dictionary<int, double> _thresholds = [];
    private readonly Dictionary<(int Block, RoutingPolicy Own), RoutingPolicy> _policies = [];

    /// <summary>The thresholds that were measured, in nats, by block; none where they depend on no measure.</summary>
    public IReadOnlyList<double> Thresholds => _thresholds.Count == 0 ? [] : [.. moeBlocks.Select(block => _thresholds[block])];

    /// <summary>Begins an epoch: measures the routers' entropies, where the threshold depends on them.</summary>
    /// <param name="thresholds"><see cref="Thresholds"/> of the epoch where it was begun before; null measures them.</param>
    /// <param name="rows">The training rows.</param>
    /// <param name="score">Scores rows, without noise, and shows an observer how they are routed.</param>
    public void Begin<TRow>(
        IReadOnlyList<double>? thresholds, IReadOnlyList<TRow> rows, Action<IReadOnlyList<TRow>, IRoutingObserver> score)
    {
        if (settings.Unit != EntropyUnit.ShareOfTokens)
            return;
        _policies.Clear();
        if (thresholds is not null)
        {
            foreach (var (block, nats) in moeBlocks.Zip(thresholds))
                _thresholds[block] = nats;
            return;
        }

        var calibration = new EntropyCalibration();
        score([.. EvenSample.Of(rows, CalibrationRows)], calibration);
        foreach (var block in moeBlocks)
            _thresholds[block] = calibration.ThresholdOf(block, settings.ThresholdOf(block));
    }

    /// <summary>The policy of a block: its own under the global workspace. A <see cref="PolicySelector"/>.</summary>
    public RoutingPolicy Select(int block, RoutingPolicy own)
    {
        if (!_policies.TryGetValue((block, own), out var policy))
        {
            policy = settings.Apply(
                own, block, experts, _thresholds.TryGetValue(block, out var nats) ? nats : null, isDecoder: block >= encoderLayers);
            _policies.Add((block, own), policy);
        }

        return policy;
    }
}
