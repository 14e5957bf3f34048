using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Tests.Training;

namespace Microsoft.ML.Moe.Tests.Routing.Reports;

/// <summary>Uncertain tokens of stacks, and at several thresholds.</summary>
public sealed class StackReportTests : IDisposable
{
    private static readonly RoutingReportOptions Options = new() { UncertainThreshold = 0.97, SampledTokens = 0, TopTokens = 1000 };

    private readonly ManagedEngine _engine = new(2);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void AnEncoderDecodersStacksAreToldApart()
    {
        var report = ReportOf(TinyGenerators.Switch);
        Assert.Equal([false, true], report.Layers.Select(layer => layer.IsDecoder));
        Assert.Equal([false, true], report.Stacks.Select(stack => stack.IsDecoder));
        foreach (var (layer, stack) in report.Layers.Zip(report.Stacks))
        {
            Assert.Equal((layer.Tokens, layer.UncertainTokens), (stack.Tokens, stack.UncertainTokens));
            Assert.Equal(layer.MostUncertainTokens, stack.MostUncertainTokens);
        }

        Assert.Equal(report.Tokens, report.Stacks[0].Tokens);
    }

    [Fact]
    public void TokensOfAStackAreCountedOverItsLayers()
    {
        var report = ReportOf(TinyCausal.Olmoe);
        var stack = Assert.Single(report.Stacks);
        Assert.False(stack.IsDecoder);
        Assert.Equal(report.Layers.Sum(layer => layer.Tokens), stack.Tokens);
        Assert.Equal(report.Layers.Sum(layer => layer.UncertainTokens), stack.UncertainTokens);
        Assert.InRange(stack.UncertainShare, 0.01, 0.99);
        var expected = report.Layers.SelectMany(layer => layer.MostUncertainTokens).GroupBy(token => token.Text)
            .Select(texts => (texts.Key, texts.Sum(token => token.Count))).OrderByDescending(t => t.Item2).ThenBy(t => t.Key, StringComparer.Ordinal);
        Assert.Equal(expected, stack.MostUncertainTokens.Select(token => (token.Text, token.Count)));
        Assert.Equal(1, stack.MostUncertainTokens.Sum(token => token.ShareOfUncertain), 1e-9);
    }

    [Fact]
    public void SharesFallFromAllTokensToNoneAsTheThresholdRises()
    {
        foreach (var layer in ReportOf(TinyCausal.Olmoe).Layers)
        {
            Assert.Equal(layer.EntropyHistogram.Select(bin => bin.From), layer.UncertainShares.Select(share => share.Threshold));
            Assert.Equal(1, layer.UncertainShares[0].Share);
            Assert.Equal(layer.UncertainShares.Select(share => share.Share).OrderDescending(), layer.UncertainShares.Select(share => share.Share));
            Assert.Equal(layer.EntropyHistogram[^1].Tokens / (double)layer.Tokens, layer.UncertainShares[^1].Share, 1e-12);
        }
    }

    private RoutingReport ReportOf(string config)
    {
        var model = TinyGenerators.Create(_engine, config);
        return model.ReportRouting(TinyGenerators.Rows(model, 40).Select(row => row.Input), Options);
    }
}
