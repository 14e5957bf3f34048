using System.Globalization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>The weights of a mixture's MoE layers, made of those of the dense encoder. Plain copies are rules; the others are computed.</summary>
/// <param name="upcycling">How.</param>
/// <param name="dense">Architecture of the dense encoder.</param>
internal sealed class UpcycledWeights(Upcycling upcycling, PublishedConfig dense) : IDerivedWeights
{
    private const string Layers = "layers.";
    private const string Moe = ".moe.";

    private static readonly Dictionary<string, (FeedForwardPart Part, string Dense)> Parts = new()
    {
        ["experts.w1"] = (FeedForwardPart.First, "first.weight"),
        ["experts.b1"] = (FeedForwardPart.FirstBias, "first.bias"),
        ["experts.gate"] = (FeedForwardPart.Gate, "gate.weight"),
        ["experts.gateBias"] = (FeedForwardPart.FirstBias, "gate.bias"),
        ["experts.w2"] = (FeedForwardPart.Second, "second.weight"),
        ["experts.b2"] = (FeedForwardPart.SecondBias, "second.bias"),
        ["bias"] = (FeedForwardPart.SecondBias, "second.bias"),
    };

    /// <summary>Adds the rules of what is copied as it is.</summary>
    public WeightRules AddTo(WeightRules rules)
    {
        if (upcycling.Method == UpcyclingMethod.Copies)
        {
            foreach (var (name, (_, part)) in Parts)
                rules.RepeatOther("layers.{l}.moe." + name, "layers.{l}.feedForward." + part);
        }

        return rules;
    }

    /// <inheritdoc/>
    public FillValues? Find(string name, int[] shape, Func<string, int[], float[]> read)
    {
        if (Split(name) is not var (block, part))
            return null;
        if (part == "router.weight")
            return values => FillRouter(name, shape[1], values);
        if (part == "router.bias")
            return values => values.Clear();
        if (upcycling.Method == UpcyclingMethod.Copies)
            return null;
        if (part.StartsWith("shared.", StringComparison.Ordinal))
            return Shared(block, part["shared.".Length..], read);
        if (!Parts.TryGetValue(part, out var known))
            return null;
        var values = Read(block, known.Part, known.Dense, read);
        return part == "bias" ? values.CopyTo : experts => FillExperts(name, known.Part, values, experts);
    }

    private static (int Block, string Part)? Split(string name)
    {
        var moe = name.IndexOf(Moe, StringComparison.Ordinal);
        return moe > 0 && name.StartsWith(Layers, StringComparison.Ordinal)
            && int.TryParse(name.AsSpan(Layers.Length, moe - Layers.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var block)
                ? (block, name[(moe + Moe.Length)..])
                : null;
    }

    private FillValues? Shared(int block, string name, Func<string, int[], float[]> read)
    {
        var part = Parts.Values.First(p => p.Dense == name).Part;
        var values = Read(block, part, name, read);
        var hidden = dense.FeedForwardWidth;
        var width = upcycling.SharedSlices * upcycling.ExpertWidth(hidden);
        return shared => HiddenUnits.Take(part, values, hidden, [.. Enumerable.Range(0, width)], shared);
    }

    private float[] Read(int block, FeedForwardPart part, string name, Func<string, int[], float[]> read)
    {
        var (d, f) = (dense.Width, dense.FeedForwardWidth);
        int[] shape = part switch
        {
            FeedForwardPart.FirstBias => [f],
            FeedForwardPart.Second => [f, d],
            FeedForwardPart.SecondBias => [d],
            _ => [d, f],
        };
        return read($"{Layers}{block}.feedForward.{name}", shape);
    }

    private void FillExperts(string name, FeedForwardPart part, float[] values, Span<float> experts)
    {
        var length = experts.Length / upcycling.Experts;
        for (var expert = 0; expert < upcycling.Experts; expert++)
            FillExpert(name, part, expert, values, experts.Slice(expert * length, length));
    }

    private void FillExpert(string name, FeedForwardPart part, int expert, float[] values, Span<float> target)
    {
        var hidden = dense.FeedForwardWidth;
        var width = upcycling.ExpertWidth(hidden);
        var isMatrix = part is FeedForwardPart.First or FeedForwardPart.Gate or FeedForwardPart.Second;
        switch (upcycling.Method)
        {
            case UpcyclingMethod.Slices:
                var first = (upcycling.SharedSlices + expert) * width;
                HiddenUnits.Take(part, values, hidden, [.. Enumerable.Range(first, width)], target);
                break;
            case UpcyclingMethod.VirtualGroups:
                HiddenUnits.Take(part, values, hidden, VirtualGroups.Units(expert, upcycling.Granularity, hidden), target);
                if (part == FeedForwardPart.SecondBias)
                    break;
                var k = upcycling.Router.ExpertsPerToken;
                var scale = VirtualGroups.Scale(upcycling.Experts, upcycling.Granularity, k, upcycling.WeightsSumToOne);
                var factor = VirtualGroups.WeightScale(scale, dense.FeedForward.HasGate);
                foreach (ref var value in target)
                    value *= factor;
                break;
            default:
                // one order for all parts of an expert, other units to change in each
                var order = PartialReinitialization.Permutation(KeyOf(name[..name.LastIndexOf('.')], expert, "order"), hidden);
                HiddenUnits.Take(part, values, hidden, order, target);
                if (!isMatrix)
                    break;
                var count = PartialReinitialization.Count(upcycling.Share, hidden);
                var indices = PartialReinitialization.Permutation(KeyOf(name, expert, "units"), hidden)[..count];
                PartialReinitialization.Redraw(
                    part, target, hidden, indices, KeyOf(name, expert, "values"), upcycling.Method == UpcyclingMethod.Noise);
                break;
        }
    }

    private ulong KeyOf(string name, int expert, string of) =>
        StableHash.Of(string.Create(CultureInfo.InvariantCulture, $"{name}/{expert}/{of}"), (uint)upcycling.Seed);

    // A column for each group, the same for all experts of the group.
    private void FillRouter(string name, int experts, Span<float> routerDE)
    {
        var key = StableHash.Of(name, (uint)upcycling.Seed);
        Span<float> drawn = new float[experts / upcycling.Granularity];
        for (var row = 0; row < routerDE.Length / experts; row++)
        {
            NormalNumbers.Fill(key, row, upcycling.RouterDeviation, drawn);
            VirtualGroups.Repeat(drawn, routerDE.Slice(row * experts, experts));
        }
    }
}
