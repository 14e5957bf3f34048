using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Serving;

/// <summary>What a server tells of itself, for OpenTelemetry or any other listener.</summary>
/// <remarks>
/// <list type="table">
/// <listheader><term>instrument</term><description>what it measures</description></listheader>
/// <item><term><c>moe.rows</c></term><description>rows answered; <c>error.type</c> where the answer was an exception</description></item>
/// <item><term><c>moe.score.duration</c></term><description>seconds that a batch took, without the wait for it</description></item>
/// <item><term><c>moe.batch.size</c></term><description>rows of a batch</description></item>
/// <item>
/// <term><c>moe.expert.load</c></term>
/// <description>
/// share of the pairs of token and expert that an expert of a layer had, last measured; <c>moe.layer</c> and <c>moe.expert</c>
/// </description>
/// </item>
/// <item>
/// <term><c>moe.uncertain.share</c></term>
/// <description>share of the tokens that a layer's router was uncertain about, last measured; <c>moe.layer</c></description>
/// </item>
/// </list>
/// The activity <c>moe.score</c> spans the scoring of a batch.
/// </remarks>
public static class MoeScorerTelemetry
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "MlNetMoe";

    /// <summary>Name of the source of activities.</summary>
    public const string ActivitySourceName = "MlNetMoe";

    private static readonly Meter Meter = new(MeterName);
    private static readonly Counter<long> Rows = Meter.CreateCounter<long>("moe.rows", "{row}", "Rows answered.");
    private static readonly Histogram<double> Seconds = Meter.CreateHistogram<double>("moe.score.duration", "s", "Time of a batch.");
    private static readonly Histogram<int> BatchSize = Meter.CreateHistogram<int>("moe.batch.size", "{row}", "Rows of a batch.");
    private static readonly Gauge<double> Load = Meter.CreateGauge<double>("moe.expert.load", "1", "Share of the pairs of an expert.");
    private static readonly Gauge<double> Uncertain = Meter.CreateGauge<double>("moe.uncertain.share", "1", "Share of uncertain tokens.");

    /// <summary>Makes the activities.</summary>
    internal static ActivitySource Activities { get; } = new(ActivitySourceName);

    /// <summary>A batch was scored.</summary>
    internal static void Scored(int rows, TimeSpan time)
    {
        Rows.Add(rows);
        BatchSize.Record(rows);
        Seconds.Record(time.TotalSeconds);
    }

    /// <summary>A row could not be scored.</summary>
    internal static void Failed(Exception error) => Rows.Add(1, new KeyValuePair<string, object?>("error.type", error.GetType().FullName));

    /// <summary>The routing of a batch was measured.</summary>
    internal static void Routed(RoutingReport report)
    {
        foreach (var (number, layer) in report.Layers.Index())
        {
            var ofLayer = new KeyValuePair<string, object?>("moe.layer", number);
            Uncertain.Record(layer.UncertainShare, ofLayer);
            foreach (var (expert, load) in layer.Load.Index())
                Load.Record(load.ShareOfPairs, ofLayer, new KeyValuePair<string, object?>("moe.expert", expert));
        }
    }
}
