using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>The losses of a stack of Switch Transformers, over sequences of their own lengths.</summary>
public sealed class SwitchLossesTests : IDisposable
{
    private readonly ManagedEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void ASequencesTokensOfAllLayersCountTogether()
    {
        float[][] layers = [[1, 0, 0, 2, 3, 0, 0, 1, 5, 1], [0, 1, 1, 0, 0, 4, 2, 0, 0, 3]];
        using var tape = _engine.BeginTape(training: false);
        var losses = new SwitchLosses(null, 0.5f, 0.25f, countsPadding: false);
        Route(tape, losses, layers, new SequenceLayout([0, 3, 5]));

        var balancing = Balancing(layers, [0, 3, 5], _ => true);
        var z = layers.SelectMany(layer => layer.Chunk(2)).Average(l => Math.Pow(Math.Log(l.Sum(v => Math.Exp(v))), 2));

        Assert.Equal(balancing, losses.Balancing(tape)!.ToArray()[0], 1e-5);
        Assert.Equal(z, losses.Z(tape)!.ToArray()[0], 1e-4);
        Assert.Equal(0.5 * balancing + 0.25 * z, losses.Loss(tape)!.ToArray()[0], 1e-4);
    }

    [Fact]
    public void PaddingCountsWhereItIsAskedFor()
    {
        float[][] layers = [[1, 0, 0, 2, 3, 0, 0, 1]];
        bool[] isToken = [true, true, true, false];
        using var tape = _engine.BeginTape(training: false);
        double Loss(bool countsPadding)
        {
            var losses = new SwitchLosses(null, 1f, 0f, countsPadding);
            Route(tape, losses, layers, new SequenceLayout([0, 2, 4], isToken));
            return losses.Loss(tape)!.ToArray()[0];
        }

        Assert.Equal(Balancing(layers, [0, 2, 4], token => isToken[token]), Loss(countsPadding: false), 1e-5);
        Assert.Equal(Balancing(layers, [0, 2, 4], _ => true), Loss(countsPadding: true), 1e-5);
    }

    [Fact]
    public void TokensBeyondACapacityMayCountAsTheFirstExperts()
    {
        float[][] layers = [[0, 2, 0, 2, 0, 2]];
        using var tape = _engine.BeginTape(training: false);
        double Loss(int? capacity)
        {
            var losses = new SwitchLosses(null, 1f, 0f, countsPadding: false, capacity);
            Route(tape, losses, layers, new SequenceLayout([0, 3]));
            return losses.Loss(tape)!.ToArray()[0];
        }

        var second = Math.Exp(2) / (1 + Math.Exp(2));
        Assert.Equal(2 * second, Loss(null), 1e-5);
        Assert.Equal(2 * (second / 3 + (1 - second) * 2 / 3), Loss(1), 1e-5);
    }

    [Fact]
    public void NothingRoutedHasNoLoss()
    {
        using var tape = _engine.BeginTape(training: false);
        Assert.Null(new SwitchLosses(null, 1f, 1f, countsPadding: true).Loss(tape));
    }

    private static void Route(Tape tape, SwitchLosses losses, float[][] layers, SequenceLayout layout)
    {
        foreach (var (block, logits) in layers.Index())
        {
            var logitsTE = tape.Constant(logits, layout.Tokens, 2);
            var plan = tape.Route(logitsTE, new TokenChoice(1, normalizeWeights: false), layout);
            losses.OnRouted(new RoutedLayer(block, tape, logitsTE, logitsTE, plan, layout, null!));
        }
    }

    // N²·mean over sequences and experts of f·P, in double loops
    private static double Balancing(float[][] layers, int[] offsets, Func<int, bool> counts)
    {
        var sum = 0.0;
        for (var sequence = 0; sequence + 1 < offsets.Length; sequence++)
        {
            float[][] rows = [.. layers.SelectMany(layer => layer.Chunk(2).Where((_, token) =>
                token >= offsets[sequence] && token < offsets[sequence + 1] && counts(token)))];
            for (var expert = 0; expert < 2; expert++)
            {
                var share = rows.Count(row => row[expert] > row[1 - expert]) / (double)rows.Length;
                sum += share * rows.Average(row => Math.Exp(row[expert]) / row.Sum(v => Math.Exp(v)));
            }
        }

        return 4 * sum / (2 * (offsets.Length - 1));
    }
}
