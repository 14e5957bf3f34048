using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>How alike experts are: the cosine between their outputs on the same tokens.</summary>
internal static class ExpertSimilarity
{
    /// <summary>Values of outputs or hidden layers in memory at a time, and multiply-adds in all, at most.</summary>
    private const long ValuesAtOnce = 1 << 22;
    private const long LargestWork = 1L << 31;

    /// <summary>How many tokens can be compared within bounds; at least 1.</summary>
    public static int TokensWithinBounds(Experts experts)
    {
        var pairs = Math.Max(1L, (long)experts.Count * experts.Count / 2);
        return (int)Math.Clamp(LargestWork / (pairs * experts.Width), 1, int.MaxValue);
    }

    /// <summary>Runs all experts on all tokens and compares.</summary>
    /// <param name="engine">Where the experts live.</param>
    /// <param name="experts">E experts, E ≥ 1.</param>
    /// <param name="tokens">At least one vector, each D long.</param>
    /// <returns>[E][E] mean cosines; 1 on the diagonal.</returns>
    public static double[][] Of(Engine engine, Experts experts, IReadOnlyList<float[]> tokens)
    {
        var count = experts.Count;
        var sums = Matrix(count);
        var valuesPerToken = (long)count * Math.Max(experts.Width, experts.HiddenWidth);
        foreach (var chunk in tokens.Chunk((int)Math.Clamp(ValuesAtOnce / valuesPerToken, 1, tokens.Count)))
        {
            var outputs = Outputs(engine, experts, chunk);
            for (var token = 0; token < chunk.Length; token++)
                AddCosines(outputs, chunk.Length, token, experts.Width, sums);
        }

        for (var i = 0; i < count; i++)
        {
            sums[i][i] = 1;
            for (var j = 0; j < i; j++)
                sums[i][j] = sums[j][i] = Math.Clamp(sums[i][j] / tokens.Count, -1, 1);
        }

        return sums;
    }

    /// <summary>An E×E matrix of zeros.</summary>
    public static double[][] Matrix(int experts) => [.. Enumerable.Range(0, experts).Select(_ => new double[experts])];

    /// <summary>Each expert's output for each token, unweighted: E·T vectors, by expert and then by token.</summary>
    private static float[] Outputs(Engine engine, Experts experts, float[][] tokens)
    {
        var (count, length) = (experts.Count, tokens.Length);
        float[] once = [.. tokens.SelectMany(t => t)];
        var copies = new float[count * once.Length];
        for (var expert = 0; expert < count; expert++)
            once.CopyTo(copies, expert * once.Length);
        var plan = new RoutingPlan(
            count * length,
            [.. Enumerable.Range(0, count + 1).Select(expert => expert * length)],
            [.. Enumerable.Range(0, count * length)],
            default);
        using var tape = engine.BeginTape(training: false);
        var onesP = tape.Constant([.. Enumerable.Repeat(1f, plan.Pairs)], plan.Pairs);
        return tape.GroupedExperts(tape.Constant(copies, plan.Tokens, experts.Width), onesP, plan, experts).ToArray();
    }

    private static void AddCosines(float[] outputs, int tokens, int token, int width, double[][] sums)
    {
        var count = sums.Length;
        Span<double> lengths = new double[count];
        for (var i = 0; i < count; i++)
        {
            var left = outputs.AsSpan((i * tokens + token) * width, width);
            lengths[i] = Math.Sqrt(Dot(left, left));
            for (var j = 0; j < i; j++)
            {
                var product = lengths[i] * lengths[j];
                if (product > 0)
                    sums[i][j] += Dot(left, outputs.AsSpan((j * tokens + token) * width, width)) / product;
            }
        }
    }

    private static double Dot(ReadOnlySpan<float> left, ReadOnlySpan<float> right)
    {
        var sum = 0.0;
        for (var i = 0; i < left.Length; i++)
            sum += (double)left[i] * right[i];
        return sum;
    }
}

/// <summary>
/// A fair sample of a layer's input vectors, of a size that does not grow with the table: reservoir sampling (Vitter 1985,
/// algorithm R). The same tokens in the same order give the same sample.
/// </summary>
/// <param name="capacity">Vectors to keep, S.</param>
internal sealed class TokenSample(int capacity)
{
    private readonly Random _random = new(capacity);
    private readonly List<float[]> _vectors = [];
    private long _seen;

    /// <summary>The vectors kept, S at most, each D long.</summary>
    public IReadOnlyList<float[]> Vectors => _vectors;

    /// <summary>The experts of the layer that the vectors are from; null before the first.</summary>
    public Experts? Experts { get; private set; }

    /// <summary>Draws from the tokens of a batch.</summary>
    public void Draw(RoutedLayer layer)
    {
        Experts = layer.Experts;
        var tokenBySlot = new SortedDictionary<int, int>();
        for (var token = 0; token < layer.Layout.Tokens && capacity > 0; token++)
        {
            if (!layer.Layout.IsToken(token))
                continue;
            var slot = _seen < capacity ? _seen : _random.NextInt64(_seen + 1);
            _seen++;
            if (slot < capacity)
                tokenBySlot[(int)slot] = token;
        }

        if (tokenBySlot.Count == 0)
            return;
        // only the rows drawn leave the engine
        var drawn = layer.Tape.Embedding(layer.XTD, [.. tokenBySlot.Values]).ToArray();
        var width = layer.XTD.Columns;
        foreach (var (index, slot) in tokenBySlot.Keys.Index())
        {
            var vector = drawn[(index * width)..((index + 1) * width)];
            if (slot < _vectors.Count)
                _vectors[slot] = vector;
            else
                _vectors.Add(vector);
        }
    }
}
