using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

public abstract partial class OperationTests
{
    private const int CachedHeads = 4;
    private const int CachedKeyWidth = 2 * 8;
    private const int CachedValueWidth = 2 * 6;

    public static TheoryData<int?, bool, bool> CachedForms => new()
    {
        { null, false, false },
        { 3, false, true },
        { null, true, true },
        { 5, true, false },
    };

    [SkippableTheory]
    [MemberData(nameof(CachedForms))]
    public void DecodingStepByStepEqualsTheFullCausalPass(int? window, bool hasBias, bool hasSinks)
    {
        using var engine = CreateEngine();
        var spec = new AttentionSpec(CachedHeads, 2) { IsCausal = true, Window = window };
        int[] lengths = [9, 4, 12];
        var (q, k, v) = (Rows(1, lengths, CachedHeads * 8), Rows(2, lengths, CachedKeyWidth), Rows(3, lengths, CachedValueWidth));
        var bias = TestNumbers.Normal(4, 12 * CachedHeads);
        var sinks = TestNumbers.Normal(5, CachedHeads);
        var expected = FullPass(engine, spec, lengths, q, k, v, hasBias ? bias : null, hasSinks ? sinks : null);

        using var cache = engine.CreateKeyValueCache(3, 12, CachedKeyWidth, CachedValueWidth);
        var actual = lengths.Select(_ => new List<float>()).ToArray();

        // A prompt of another length for each sequence, then one token at a time until each sequence ends.
        int[] prompts = [4, 0, 7];
        Step(prompts);
        while (Enumerable.Range(0, 3).Any(s => cache.Lengths[s] < lengths[s]))
            Step([.. lengths.Select((length, s) => cache.Lengths[s] < length ? 1 : 0)]);

        for (var s = 0; s < 3; s++)
            TestNumbers.AssertClose(Reference.Doubles(expected[s]), [.. actual[s]]);

        void Step(int[] counts)
        {
            using var tape = engine.BeginTape(training: false);
            var starts = cache.Lengths.ToArray();
            var y = tape.CachedAttention(
                Constant(tape, q, starts, counts, CachedHeads * 8),
                Constant(tape, k, starts, counts, CachedKeyWidth),
                Constant(tape, v, starts, counts, CachedValueWidth),
                spec,
                LayoutOf(counts),
                cache,
                hasBias ? new AttentionBias(tape.Constant(bias, 12, CachedHeads), 11) : null,
                hasSinks ? tape.Constant(sinks, CachedHeads) : null).ToArray();
            var (place, width) = (0, CachedHeads * CachedValueWidth / 2);
            for (var s = 0; s < 3; s++)
            {
                actual[s].AddRange(y.AsSpan(place, counts[s] * width));
                place += counts[s] * width;
                Assert.Equal(starts[s] + counts[s], cache.Lengths[s]);
            }
        }
    }

    [SkippableFact]
    public void BeamsContinueOtherSequences()
    {
        using var engine = CreateEngine();
        var spec = new AttentionSpec(CachedHeads, 2) { IsCausal = true };
        int[] lengths = [5, 5, 5];
        var (q, k, v) = (Rows(1, lengths, CachedHeads * 8), Rows(2, lengths, CachedKeyWidth), Rows(3, lengths, CachedValueWidth));
        using var cache = engine.CreateKeyValueCache(3, 5, CachedKeyWidth, CachedValueWidth);
        Run([0, 0, 0], [4, 4, 4]);
        cache.Truncate(1, 2);
        cache.Reorder([2, 1, 2]);
        Assert.Equal([4, 2, 4], cache.Lengths.ToArray());

        var y = Run([4, 2, 4], [1, 1, 1]);

        // Sequences 0 and 2 are both what 2 was, each with a last token of its own; sequence 1 has forgotten two.
        float[][] Mixed(float[][] rows, int width) =>
            [[.. rows[2][..(4 * width)], .. rows[0][(4 * width)..]], rows[1][..(3 * width)], rows[2]];
        int[] mixedLengths = [5, 3, 5];
        var expected = FullPass(
            engine, spec, mixedLengths, Mixed(q, CachedHeads * 8), Mixed(k, CachedKeyWidth), Mixed(v, CachedValueWidth), null);
        var width = CachedHeads * CachedValueWidth / 2;
        for (var s = 0; s < 3; s++)
            TestNumbers.AssertClose(Reference.Doubles(expected[s].AsSpan()[^width..]), y.AsSpan(s * width, width));

        float[] Run(int[] starts, int[] counts)
        {
            using var tape = engine.BeginTape(training: false);
            return tape.CachedAttention(
                Constant(tape, q, starts, counts, CachedHeads * 8),
                Constant(tape, k, starts, counts, CachedKeyWidth),
                Constant(tape, v, starts, counts, CachedValueWidth),
                spec,
                LayoutOf(counts),
                cache).ToArray();
        }
    }

    [SkippableFact]
    public void AnEncodersKeysAreReadAgainAndAgain()
    {
        using var engine = CreateEngine();
        var spec = new AttentionSpec(CachedHeads, 2);
        int[] lengths = [3, 6];
        var (k, v) = (Rows(2, lengths, CachedKeyWidth), Rows(3, lengths, CachedValueWidth));
        var q = TestNumbers.Normal(1, 3 * CachedHeads * 8);
        using var cache = engine.CreateKeyValueCache(2, 6, CachedKeyWidth, CachedValueWidth);
        using (var tape = engine.BeginTape(training: false))
        {
            tape.CachedAttention(
                tape.Constant(new float[9 * CachedHeads * 8], 9, CachedHeads * 8),
                Constant(tape, k, [0, 0], lengths, CachedKeyWidth),
                Constant(tape, v, [0, 0], lengths, CachedValueWidth),
                spec,
                LayoutOf(lengths),
                cache);
        }

        for (var round = 0; round < 2; round++)
        {
            using var tape = engine.BeginTape(training: false);
            var queries = tape.Constant(q, 3, CachedHeads * 8);
            var layout = LayoutOf([1, 2]);
            var expected = tape.Attention(
                queries,
                Constant(tape, k, [0, 0], lengths, CachedKeyWidth),
                Constant(tape, v, [0, 0], lengths, CachedValueWidth),
                spec,
                layout,
                LayoutOf(lengths)).ToArray();
            var actual = tape.CachedAttention(queries, null, null, spec, layout, cache).ToArray();
            TestNumbers.AssertClose(Reference.Doubles(expected), actual);
            Assert.Equal(lengths, cache.Lengths.ToArray());
        }
    }

    [SkippableFact]
    public void CachesAreBoundedAndRejectWhatDoesNotFit()
    {
        using var engine = CreateEngine();
        using var other = CreateEngine();
        using var cache = engine.CreateKeyValueCache(2, 3, 4, 4);
        var spec = new AttentionSpec(2) { IsCausal = true };
        Tensor Append(Tape tape, int[] counts, KeyValueCache to) => tape.CachedAttention(
            Zeros(counts), Zeros(counts), Zeros(counts), spec, LayoutOf(counts), to);
        using var tape = engine.BeginTape(training: false);
        Tensor Zeros(int[] counts) => tape.Constant(new float[counts.Sum() * 4], counts.Sum(), 4);
        Append(tape, [2, 3], cache);
        var error = Assert.Throws<ArgumentException>(() => Append(tape, [1, 1], cache));
        Assert.Contains("sequence 1", error.Message, StringComparison.Ordinal);
        Assert.Contains("capacity of 3", error.Message, StringComparison.Ordinal);
        Assert.Equal([2, 3], cache.Lengths.ToArray());
        Assert.Throws<ArgumentException>(() => Append(tape, [1], cache));
        Assert.Throws<ArgumentException>(() => tape.CachedAttention(
            Zeros([1]), Zeros([1]), Zeros([1]), spec, new SequenceLayout([0, 1, 1], [false]), cache));
        Assert.Throws<ArgumentException>(() => tape.CachedAttention(Zeros([1]), Zeros([1]), null, spec, LayoutOf([1, 0]), cache));
        Assert.Throws<ArgumentException>(() => tape.CachedAttention(
            Zeros([1]), Zeros([1]), Zeros([1]), new AttentionSpec(2, 1), LayoutOf([1, 0]), cache));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Truncate(2, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Truncate(0, 3));
        Assert.Throws<ArgumentException>(() => cache.Reorder([0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Reorder([0, 2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => engine.CreateKeyValueCache(0, 1, 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => engine.CreateKeyValueCache(1 << 15, 1 << 15, 4, 1));
        using (var foreign = other.CreateKeyValueCache(2, 3, 4, 4))
            Assert.Throws<ArgumentException>(() => Append(tape, [1, 0], foreign));
        using (var training = engine.BeginTape(training: true))
            Assert.Throws<InvalidOperationException>(() => Append(training, [1, 0], cache));
        cache.Clear();
        Assert.Equal([0, 0], cache.Lengths.ToArray());
        cache.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Append(tape, [1, 0], cache));
        Assert.Throws<ObjectDisposedException>(() => cache.Reorder([0, 1]));
    }

    private static SequenceLayout LayoutOf(int[] counts)
    {
        var offsets = new int[counts.Length + 1];
        for (var s = 0; s < counts.Length; s++)
            offsets[s + 1] = offsets[s] + counts[s];
        return new SequenceLayout(offsets);
    }

    private static float[][] Rows(int seed, int[] lengths, int width) =>
        [.. lengths.Select((length, s) => TestNumbers.Normal(100 * seed + s, length * width))];

    private static Tensor Constant(Tape tape, float[][] rows, int[] starts, int[] counts, int width) => tape.Constant(
        [.. rows.SelectMany((values, s) => values.AsSpan(starts[s] * width, counts[s] * width).ToArray())], counts.Sum(), width);

    private static float[][] FullPass(
        Engine engine, AttentionSpec spec, int[] lengths, float[][] q, float[][] k, float[][] v, float[]? bias, float[]? sinks = null)
    {
        using var tape = engine.BeginTape(training: false);
        var starts = new int[lengths.Length];
        var y = tape.Attention(
            Constant(tape, q, starts, lengths, CachedHeads * 8),
            Constant(tape, k, starts, lengths, CachedKeyWidth),
            Constant(tape, v, starts, lengths, CachedValueWidth),
            spec,
            LayoutOf(lengths),
            null,
            bias is null ? null : new AttentionBias(tape.Constant(bias, 12, CachedHeads), 11),
            sinks is null ? null : tape.Constant(sinks, CachedHeads)).ToArray();
        var width = CachedHeads * CachedValueWidth / 2;
        var offsets = LayoutOf(lengths).Offsets.ToArray();
        return [.. lengths.Select((length, s) => y.AsSpan(offsets[s] * width, length * width).ToArray())];
    }
}
