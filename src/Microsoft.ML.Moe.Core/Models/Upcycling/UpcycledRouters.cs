using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// Routers that begin with what they will see. States behind a layer normalisation share a large mean, by which every token would prefer the
/// same experts: it is taken away, by a bias.
/// </summary>
internal static class UpcycledRouters
{
    /// <summary>Rows that are looked at at most, evenly spaced.</summary>
    private const int MostRows = 512;

    /// <summary>States of a block that are looked at at most.</summary>
    private const int MostStates = 8192;

    private const int BatchOfClustering = 1024;

    /// <summary>Sets a new mixture's routers by the states that some rows have in it, with its random routers.</summary>
    /// <param name="upcycling">How it was made; nothing is done where that needs no rows.</param>
    /// <param name="model">The mixture.</param>
    /// <param name="rows">Training rows, encoded by the model's input.</param>
    /// <exception cref="ArgumentException">The rows have fewer tokens than there are experts.</exception>
    public static void Start<TRow>(Upcycling upcycling, Model<TRow> model, IReadOnlyList<TRow> rows)
    {
        if (!upcycling.NeedsRows)
            return;
        TRow[] sample = [.. EvenSample.Of(rows, MostRows)];
        var states = new States();
        model.Score(sample, new float[sample.Length * model.Outputs], states);
        var parameters = model.Parameters.All.ToDictionary(p => p.Parameter.Name, p => p.Parameter.Value);
        foreach (var block in model.Config.Encoder.MoeBlocks)
        {
            var weight = parameters[$"layers.{block}.moe.router.weight"];
            var (weightDE, biasE) = Of(upcycling, weight.ToArray(), states.Of(block));
            weight.CopyFrom(weightDE);
            parameters[$"layers.{block}.moe.router.bias"].CopyFrom(biasE);
        }
    }

    /// <summary>A router for states.</summary>
    /// <param name="upcycling">What it begins with.</param>
    /// <param name="randomDE">Random weights, [D, E].</param>
    /// <param name="states">What it sees, D numbers each.</param>
    /// <exception cref="ArgumentException">There are fewer states than clusters.</exception>
    public static (float[] WeightDE, float[] BiasE) Of(Upcycling upcycling, float[] randomDE, IReadOnlyList<float[]> states)
    {
        var (e, g) = (upcycling.Experts, upcycling.Granularity);
        if (states.Count < e / g)
        {
            throw new ArgumentException(
                $"{states.Count} tokens are too few to start routers to {e / g} experts or groups: give more rows, or {nameof(RouterStart)} = "
                + $"{nameof(RouterStart.Random)}.",
                nameof(states));
        }

        var mean = MeanOf(states, states[0].Length);
        var weightDE = upcycling.RouterStart == RouterStart.CentredKMeans
            ? Clusters(upcycling, [.. states.Select(s => s.Zip(mean, (x, m) => x - m).ToArray())], out var ownE)
            : CentredRandom(randomDE, e, out ownE);
        for (var d = 0; d < mean.Length; d++)
            for (var expert = 0; expert < e; expert++)
                ownE[expert] -= mean[d] * weightDE[d * e + expert];
        return (weightDE, ownE);
    }

    private static float[] CentredRandom(float[] randomDE, int experts, out float[] biasE)
    {
        biasE = new float[experts];
        return randomDE;
    }

    // Logits of a group are τ(c·x − |c|²/2): the nearest centre has the largest. τ makes their deviation over tokens and groups 1.
    private static float[] Clusters(Upcycling upcycling, float[][] centred, out float[] biasE)
    {
        var (e, g, d) = (upcycling.Experts, upcycling.Granularity, centred[0].Length);
        var clusters = MiniBatchKMeans.Fit(centred, e / g, BatchOfClustering, (uint)upcycling.Seed).Assignments;
        float[][] centres = [.. Enumerable.Range(0, e / g).Select(c => MeanOf([.. centred.Where((_, i) => clusters[i] == c)], d))];
        var halves = Array.ConvertAll(centres, c => Dot(c, c) / 2);
        var squares = 0.0;
        foreach (var x in centred)
        {
            double[] logits = [.. centres.Select((c, i) => Dot(c, x) - halves[i])];
            var mean = logits.Average();
            squares += logits.Sum(l => (l - mean) * (l - mean)) / logits.Length;
        }

        var deviation = Math.Sqrt(squares / centred.Length);
        var scale = deviation > 0 ? 1 / deviation : 0;
        var weightDE = new float[d * e];
        biasE = new float[e];
        for (var expert = 0; expert < e; expert++)
        {
            biasE[expert] = (float)(-scale * halves[expert / g]);
            for (var i = 0; i < d; i++)
                weightDE[i * e + expert] = (float)(scale * centres[expert / g][i]);
        }

        return weightDE;
    }

    private static double Dot(float[] x, float[] y)
    {
        var sum = 0.0;
        for (var i = 0; i < x.Length; i++)
            sum += (double)x[i] * y[i];
        return sum;
    }

    private static float[] MeanOf(IReadOnlyList<float[]> rows, int width)
    {
        var sums = new double[width];
        foreach (var row in rows)
            for (var i = 0; i < width; i++)
                sums[i] += row[i];
        return [.. sums.Select(sum => (float)(sum / Math.Max(1, rows.Count)))];
    }

    /// <summary>What each MoE layer sees of tokens.</summary>
    private sealed class States : IRoutingObserver
    {
        private readonly Dictionary<int, List<float[]>> _states = [];

        public List<float[]> Of(int block) => _states.GetValueOrDefault(block) ?? [];

        public void OnRouted(RoutedLayer layer)
        {
            if (!_states.TryGetValue(layer.Block, out var states))
                _states.Add(layer.Block, states = []);
            var values = layer.XTD.ToArray();
            for (var token = 0; token < layer.Layout.Tokens && states.Count < MostStates; token++)
                if (layer.Layout.IsToken(token))
                    states.Add(values.AsSpan(token * layer.XTD.Columns, layer.XTD.Columns).ToArray());
        }
    }
}
