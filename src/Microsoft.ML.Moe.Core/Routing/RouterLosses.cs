using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// Router losses that published mixtures were trained with, beside <see cref="LoadBalancingLoss"/>,
/// <see cref="LayersBalancing"/> and <see cref="RouterZLoss"/>. Value and
/// gradient are computed on the host in double precision, over tokens, not padding; the tape receives value + ⟨logits − their values,
/// gradient⟩, which has both. P = softmax(l) over the N experts; shares f have no gradient.
/// </summary>
internal static class RouterLosses
{
    /// <summary>
    /// Load balancing of GShard (Lepikhin et al. 2020), as Switch Transformers compute it: of each sequence N²·mean over experts of fₑ·mean Pₑ
    /// with the first choice's share f; the mean over sequences.
    /// </summary>
    /// <param name="tape">The pass under way.</param>
    /// <param name="logitsTE">[T, E] router logits.</param>
    /// <param name="layout">Sequences within T, which tells tokens from padding.</param>
    public static Tensor OfSequences(Tape tape, Tensor logitsTE, SequenceLayout layout)
    {
        var table = new LogitTable(logitsTE, layout);
        var sequences = table.Sequences(layout);
        var value = 0.0;
        foreach (var tokens in sequences)
        {
            var (count, mean) = (new double[table.Experts], new double[table.Experts]);
            table.AddChoices(count, 1, tokens);
            table.AddProbabilities(mean, 1.0 / tokens.Count, tokens);
            var scale = table.Experts / (double)tokens.Count / sequences.Count;
            value += scale * Dot(count, mean);
            foreach (var token in tokens)
                table.AddSoftmaxGradient(token, scale / tokens.Count, count);
        }

        return Linear(tape, table, value);
    }

    /// <summary>The importance loss: the squared coefficient of variation of Σ P over tokens (<see cref="RouterImbalance.Importance"/>).</summary>
    /// <param name="tape">The pass under way.</param>
    /// <param name="logitsTE">[T, E] router logits.</param>
    /// <param name="layout">Tells tokens from padding.</param>
    public static Tensor Importance(Tape tape, Tensor logitsTE, SequenceLayout layout)
    {
        var table = new LogitTable(logitsTE, layout);
        var sums = new double[table.Experts];
        table.AddProbabilities(sums, 1);
        var slopes = VariationSlopes(sums);
        foreach (var token in table.Tokens)
            table.AddSoftmaxGradient(token, 1, slopes);
        return Linear(tape, table, RouterImbalance.Importance(sums));
    }

    /// <summary>
    /// The load loss of V-MoE (Riquelme et al. 2021, arXiv 2106.05974, appendix A.2) without noise: the squared coefficient of variation of the
    /// experts' mean probability of being chosen were the logits perturbed, 1 − Φ((threshold − l)/σ) with the token's k-th largest logit as
    /// threshold, which has a gradient too, and σ = 1/N.
    /// </summary>
    /// <param name="tape">The pass under way.</param>
    /// <param name="logitsTE">[T, E] router logits.</param>
    /// <param name="layout">Tells tokens from padding.</param>
    /// <param name="expertsPerToken">k.</param>
    public static Tensor Load(Tape tape, Tensor logitsTE, SequenceLayout layout, int expertsPerToken)
    {
        var table = new LogitTable(logitsTE, layout);
        var (experts, inverse) = (table.Experts, (double)table.Experts);
        var load = new double[experts];
        foreach (var token in table.Tokens)
        {
            var logits = table.Logits(token);
            var threshold = logits[table.Choices(token, expertsPerToken)[^1]];
            for (var e = 0; e < experts; e++)
                load[e] += 1 - NormalCumulative((threshold - logits[e]) * inverse);
        }

        var tokens = Math.Max(1, table.Tokens.Count);
        for (var e = 0; e < experts; e++)
            load[e] /= tokens;
        var slopes = VariationSlopes(load);
        foreach (var token in table.Tokens)
        {
            var logits = table.Logits(token);
            var gradient = table.Gradient(token);
            var last = table.Choices(token, expertsPerToken)[^1];
            for (var e = 0; e < experts; e++)
            {
                var z = (logits[last] - logits[e]) * inverse;
                var slope = slopes[e] / tokens * inverse * Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI);
                gradient[e] += slope;
                gradient[last] -= slope;
            }
        }

        return Linear(tape, table, RouterImbalance.Importance(load));
    }

    /// <summary>The mean over tokens of the router's entropy H = −Σ p·ln(p + 1e-5) (<see cref="RouterEntropy"/>).</summary>
    /// <param name="tape">The pass under way.</param>
    /// <param name="logitsTE">[T, E] router logits.</param>
    /// <param name="layout">Tells tokens from padding.</param>
    public static Tensor Entropy(Tape tape, Tensor logitsTE, SequenceLayout layout)
    {
        var table = new LogitTable(logitsTE, layout);
        var (value, scale) = (0.0, 1.0 / Math.Max(1, table.Tokens.Count));
        var slopes = new double[table.Experts];
        foreach (var token in table.Tokens)
        {
            var p = table.Probabilities(token);
            for (var e = 0; e < p.Length; e++)
            {
                value -= scale * p[e] * Math.Log(p[e] + 1e-5);
                slopes[e] = -Math.Log(p[e] + 1e-5) - p[e] / (p[e] + 1e-5);
            }

            table.AddSoftmaxGradient(token, scale, slopes);
        }

        return Linear(tape, table, value);
    }

    private static Tensor Linear(Tape tape, LogitTable table, double value)
    {
        var gradient = tape.Constant(Array.ConvertAll(table.AllGradients, g => (float)g), table.Tensor.Shape);
        var product = tape.Scale(tape.Mean(tape.Multiply(table.Tensor, gradient)), table.Tensor.Length);
        return tape.Add(product, tape.Constant([(float)(value - table.DotOfGradients())], product.Shape));
    }

    private static double Dot(double[] left, double[] right)
    {
        var sum = 0.0;
        for (var i = 0; i < left.Length; i++)
            sum += left[i] * right[i];
        return sum;
    }

    /// <summary>Gradient of variance / mean².</summary>
    private static double[] VariationSlopes(double[] values)
    {
        var mean = values.Average();
        if (mean == 0)
            return new double[values.Length];
        var variation = RouterImbalance.Importance(values);
        return Array.ConvertAll(values, v => 2 / (values.Length * mean) * ((v - mean) / mean - variation));
    }

    /// <summary>Φ by the complementary error function's continued fraction and series (Abramowitz and Stegun 1964, 26.2.10 and 26.2.14).</summary>
    private static double NormalCumulative(double z)
    {
        if (z < 0)
            return 1 - NormalCumulative(-z);
        if (z > 38)
            return 1;
        var density = Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI);
        if (z < 3)
        {
            var (term, sum) = (z, z);
            for (var n = 1; term > 1e-17 * sum; n++)
                sum += term *= z * z / (2 * n + 1);
            return 0.5 + density * sum;
        }

        var fraction = z;
        for (var n = 60; n > 0; n--)
            fraction = z + n / fraction;
        return 1 - density / fraction;
    }
}
