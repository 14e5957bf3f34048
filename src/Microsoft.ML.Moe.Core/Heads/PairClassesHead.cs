using System.Numerics;
using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Heads;

/// <summary>
/// One of C classes of a pair of texts that a published encoder reads apart: one layer scores the classes by both pooled vectors u and v,
/// |u − v| and u·v, the thirteen <see cref="PairCounts"/>, the cosine of u and v, and how well tokens of one text find their like in the other
/// after the middle layer and after the last.
/// </summary>
internal sealed class PairClassesHead : FeatureHead
{
    /// <summary>Numbers of an alignment: three of each of two layers, both ways.</summary>
    private const int Alignments = 12;

    private readonly PairClassesHeadConfig _config;
    private readonly int _width;
    private readonly Parameter _rarityV;
    private float[]? _rarity;

    public PairClassesHead(ParameterStore store, PairClassesHeadConfig config, EncoderConfig encoder)
        : base(store, checked(4 * config.Layers * encoder.Width + Counts), config.Classes, dropout: 0f)
    {
        (_config, _width) = (config, encoder.Width);
        _rarityV = store.Constant("head.rarity", ParameterRole.Bias, 1f, config.VocabularySize);
    }

    /// <summary>Numbers that are not of the vectors: counts of shared words, cosine, alignments.</summary>
    public static int Counts => PairCounts.Number + 1 + Alignments;

    /// <inheritdoc/>
    public override int Emphasised => Counts;

    /// <summary>How rare each token is: its inverse frequency among texts.</summary>
    public void SetRarity(float[] rarity)
    {
        _rarityV.Value.CopyFrom(rarity);
        _rarity = null;
    }

    /// <summary>[B, F]; made on the host, so that nothing flows back from it to the encoder.</summary>
    public override Tensor Features(Tape tape, EncoderOutput encoded, Batch batch)
    {
        var texts = (TokenIdBatch)batch;
        var layout = batch.Layout;
        var rows = layout.Sequences / 2;
        var pooled = PooledStates.Of(tape, encoded, layout, _config.Layers).ToArray();
        var half = _config.Layers * _width;
        var features = new float[rows * Width];
        float[][] states = [encoded.After(encoded.LastLayer / 2).ToArray(), encoded.Last.ToArray()];
        foreach (var ofLayer in states)
            ToUnitLength(ofLayer);
        var rarity = _rarity ??= _rarityV.Value.ToArray();
        for (var row = 0; row < rows; row++)
        {
            var to = features.AsSpan(row * Width, Width);
            var cosine = WriteVectors(pooled.AsSpan(2 * row * half, half), pooled.AsSpan((2 * row + 1) * half, half), to);
            var rest = to[(4 * half)..];
            texts.CountsOf(row).CopyTo(rest);
            rest[PairCounts.Number] = cosine;
            rest = rest[(PairCounts.Number + 1)..];
            var (first, second) = (Inner(layout, 2 * row), Inner(layout, 2 * row + 1));
            foreach (var ofLayer in states)
            {
                Align(ofLayer, first, second, texts.Ids, rarity, rest[..(Alignments / 2)]);
                rest = rest[(Alignments / 2)..];
            }
        }

        return tape.Constant(features, rows, Width);
    }

    /// <summary>u, v, |u − v| and u·v.</summary>
    /// <returns>The cosine of u and v.</returns>
    private static float WriteVectors(ReadOnlySpan<float> u, ReadOnlySpan<float> v, Span<float> to)
    {
        var n = u.Length;
        var (dot, ofU, ofV) = (0f, 0f, 0f);
        for (var i = 0; i < n; i++)
        {
            (to[i], to[n + i], to[2 * n + i], to[3 * n + i]) = (u[i], v[i], MathF.Abs(u[i] - v[i]), u[i] * v[i]);
            dot += u[i] * v[i];
            ofU += u[i] * u[i];
            ofV += v[i] * v[i];
        }

        return dot / MathF.Max(1e-12f, MathF.Sqrt(ofU * ofV));
    }

    /// <summary>Tokens of a sequence without the first and last, which are special, where there are others.</summary>
    private static Range Inner(SequenceLayout layout, int sequence)
    {
        var (start, end) = (layout.Offsets[sequence], layout.Offsets[sequence + 1]);
        while (end > start + 1 && !layout.IsToken(end - 1))
            end--;
        return end - start > 2 ? (start + 1)..(end - 1) : start..end;
    }

    /// <summary>
    /// For each token of one text its largest likeness to a token of the other: the mean, the smallest, and the mean by rarity; both ways.
    /// </summary>
    private void Align(float[] states, Range first, Range second, ReadOnlySpan<int> ids, float[] rarity, Span<float> to)
    {
        var (a, b) = (first.End.Value - first.Start.Value, second.End.Value - second.Start.Value);
        var (bestOfA, bestOfB) = (new float[a], new float[b]);
        Array.Fill(bestOfA, -1f);
        Array.Fill(bestOfB, -1f);
        for (var i = 0; i < a; i++)
        {
            var x = states.AsSpan((first.Start.Value + i) * _width, _width);
            for (var j = 0; j < b; j++)
            {
                var likeness = Dot(x, states.AsSpan((second.Start.Value + j) * _width, _width));
                bestOfA[i] = MathF.Max(bestOfA[i], likeness);
                bestOfB[j] = MathF.Max(bestOfB[j], likeness);
            }
        }

        Summarise(bestOfA, ids[first], rarity, to);
        Summarise(bestOfB, ids[second], rarity, to[3..]);
    }

    private static void Summarise(float[] best, ReadOnlySpan<int> ids, float[] rarity, Span<float> to)
    {
        var (sum, least, weighted, weights) = (0f, 1f, 0f, 0f);
        for (var i = 0; i < best.Length; i++)
        {
            sum += best[i];
            least = MathF.Min(least, best[i]);
            weighted += rarity[ids[i]] * best[i];
            weights += rarity[ids[i]];
        }

        (to[0], to[1], to[2]) = (sum / Math.Max(1, best.Length), least, weighted / MathF.Max(1e-12f, weights));
    }

    private void ToUnitLength(float[] states)
    {
        for (var start = 0; start < states.Length; start += _width)
        {
            var state = states.AsSpan(start, _width);
            var scale = 1f / MathF.Max(1e-12f, MathF.Sqrt(Dot(state, state)));
            foreach (ref var value in state)
                value *= scale;
        }
    }

    private static float Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        var xs = MemoryMarshal.Cast<float, Vector<float>>(x);
        var ys = MemoryMarshal.Cast<float, Vector<float>>(y);
        var sums = Vector<float>.Zero;
        for (var i = 0; i < xs.Length; i++)
            sums += xs[i] * ys[i];
        var sum = Vector.Sum(sums);
        for (var i = xs.Length * Vector<float>.Count; i < x.Length; i++)
            sum += x[i] * y[i];
        return sum;
    }
}

/// <summary>What a model file tells of a <see cref="PairClassesHead"/>.</summary>
internal sealed record PairClassesHeadConfig : ClassifierHeadConfig
{
    /// <summary>How many of the last layers' states are read. Within [1, 64].</summary>
    public required int Layers { get; init => field = OptionCheck.Range(value, 1, 64, nameof(Layers)); }

    /// <summary>Rows of the encoder's token table, V.</summary>
    public required int VocabularySize { get; init => field = OptionCheck.Range(value, 1, 1 << 24, nameof(VocabularySize)); }

    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => Layers <= encoder.Layers
        ? new PairClassesHead(store, this, encoder)
        : throw new ArgumentOutOfRangeException(nameof(encoder), Layers, $"The encoder has {encoder.Layers} layers.");
}
