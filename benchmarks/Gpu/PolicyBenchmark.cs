using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>
/// What C4 and C5 measure on the CPU: the other policies against Token Choice at equal numbers of pairs, and whether a workspace
/// costs more time than its additional pairs cost FLOPs.
/// </summary>
internal sealed class PolicyBenchmark(string id, MoeShape shape, TorchDevice device) : IBenchmark
{
    private const double UncertainShare = 0.05;

    public string Id => id;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var layer = new SwiGluLayer(shape, device);
        yield return Compare("Expert Choice", new ExpertChoice(shape.ExpertsPerToken), training: false);
        yield return Compare("Unified", new Unified(shape.ExpertsPerToken), training: false);
        yield return Compare(
            "Unified + workspace 5 %", layer.Logits.WorkspaceWithEqualPairs(UncertainShare, layer.Layout), training: true);
        foreach (var share in new[] { 0, 0.05, 0.2 })
        {
            var workspace = new GlobalWorkspace(layer.TokenChoice, layer.Logits.EntropyThreshold(share));
            var flops = layer.WorkOf(workspace, training: true).Flops / layer.WorkOf(layer.TokenChoice).Flops;
            var percent = (100 * share).ToString("F0", CultureInfo.InvariantCulture);
            var figure = Compare($"workspace {percent} %: time ratio over FLOP ratio", workspace, training: true);
            yield return figure with { Ratio = figure.Ratio / flops, Spread = figure.Spread / flops };
        }

        Figure Compare(string name, RoutingPolicy policy, bool training)
        {
            var result = runner.Compare(
                device.Timed(layer.Forward(policy, training)), device.Timed(layer.Forward(layer.TokenChoice, training)));
            return new Figure(id, $"{name} / Token Choice, E{shape.Experts}, {device.Precision}", threads, result.Ratio, result.Spread, null)
            {
                Seconds = result.First,
                ReferenceSeconds = result.Second,
                Work = layer.WorkOf(policy, training),
                ReferenceWork = layer.WorkOf(layer.TokenChoice),
            };
        }
    }
}
