using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

public abstract partial class OperationTests
{
    /// <summary>Attention of queries, keys and values of their own, with everything that it depends on.</summary>
    private sealed record AttentionCase(
        AttentionSpec Spec,
        int HeadWidth,
        int ValueWidth,
        SequenceLayout Queries,
        SequenceLayout Keys,
        int Zero,
        Input[] Inputs,
        bool HasBias,
        bool HasSinks)
    {
        public Tensor Run(Tape tape, Tensor[] p) => tape.Attention(
            p[0], p[1], p[2], Spec, Queries, Keys, HasBias ? new AttentionBias(p[3], Zero) : null, HasSinks ? p[^1] : null);

        /// <summary>A double loop over queries and keys.</summary>
        public double[] Expected()
        {
            var (heads, shared) = (Spec.Heads, Spec.Heads / Spec.KeyValueHeads);
            var (q, k, v) = (Inputs[0].Values, Inputs[1].Values, Inputs[2].Values);
            var (queryWidth, keyWidth, valueWidth) = (
                heads * HeadWidth, Spec.KeyValueHeads * HeadWidth, Spec.KeyValueHeads * ValueWidth);
            var y = new double[Queries.Tokens * heads * ValueWidth];
            for (var sequence = 0; sequence < Queries.Sequences; sequence++)
            {
                var (firstQuery, firstKey) = (Queries.Offsets[sequence], Keys.Offsets[sequence]);
                var (queries, keys) = (Queries.Offsets[sequence + 1] - firstQuery, Keys.Offsets[sequence + 1] - firstKey);
                for (var i = 0; i < queries; i++)
                {
                    for (var head = 0; head < heads; head++)
                    {
                        var seen = new List<int>();
                        var scores = new List<double>();
                        for (var j = 0; j < keys; j++)
                        {
                            var distance = j - (i + keys - queries);
                            if (!Keys.IsToken(firstKey + j) || (Spec.IsCausal && distance > 0))
                                continue;
                            if (Spec.Window is { } window && Math.Abs(distance) >= window)
                                continue;
                            var dot = 0.0;
                            for (var c = 0; c < HeadWidth; c++)
                            {
                                dot += (double)q[(firstQuery + i) * queryWidth + head * HeadWidth + c]
                                    * k[(firstKey + j) * keyWidth + head / shared * HeadWidth + c];
                            }

                            seen.Add(firstKey + j);
                            scores.Add(dot * (Spec.Scale ?? 1 / Math.Sqrt(HeadWidth))
                                + (HasBias ? Inputs[3].Values[(distance + Zero) * heads + head] : 0));
                        }

                        if (HasSinks)
                            scores.Add(Inputs[^1].Values[head]);
                        var p = Reference.Softmax(scores.ToArray());
                        for (var n = 0; n < seen.Count; n++)
                        {
                            for (var c = 0; c < ValueWidth; c++)
                            {
                                y[((firstQuery + i) * heads + head) * ValueWidth + c] +=
                                    p[n] * v[seen[n] * valueWidth + head / shared * ValueWidth + c];
                            }
                        }
                    }
                }
            }

            return y;
        }

        public static AttentionCase Random(int seed, int longest, float dropout = 0f)
        {
            var random = new Random(seed);
            var keyValueHeads = random.Next(1, 4);
            var spec = new AttentionSpec(keyValueHeads * random.Next(1, 4), keyValueHeads)
            {
                IsCausal = random.Next(2) == 0,
                Window = random.Next(3) == 0 ? random.Next(1, longest + 2) : null,
                Scale = random.Next(3) == 0 ? 0.1f + 0.9f * random.NextSingle() : null,
                Dropout = dropout,
            };
            var (headWidth, valueWidth) = (Pick(random, [1, 3, 8, 16, 20]), Pick(random, [1, 2, 8, 16, 18]));
            var sequences = random.Next(1, 4);
            var queries = new SequenceLayout(Offsets());
            var keys = random.Next(2) == 0 ? new SequenceLayout(queries.Offsets.ToArray()) : new SequenceLayout(Offsets());
            if (random.Next(2) == 0)
                keys = new SequenceLayout(keys.Offsets.ToArray(), [.. Enumerable.Range(0, keys.Tokens).Select(_ => random.Next(4) > 0)]);
            List<Input> inputs =
            [
                Input.Random(seed + 1, queries.Tokens, spec.Heads * headWidth),
                Input.Random(seed + 2, keys.Tokens, keyValueHeads * headWidth),
                Input.Random(seed + 3, keys.Tokens, keyValueHeads * valueWidth),
            ];
            var (hasBias, hasSinks) = (random.Next(2) == 0, random.Next(3) == 0);
            if (hasBias)
                inputs.Add(Input.Random(seed + 4, 2 * longest + 1, spec.Heads));
            if (hasSinks)
                inputs.Add(Input.Random(seed + 5, spec.Heads));
            return new AttentionCase(spec, headWidth, valueWidth, queries, keys, longest, [.. inputs], hasBias, hasSinks);

            int[] Offsets()
            {
                var offsets = new int[sequences + 1];
                for (var i = 0; i < sequences; i++)
                    offsets[i + 1] = offsets[i] + random.Next(longest + 1);
                return offsets;
            }
        }

        private static int Pick(Random random, int[] numbers) => numbers[random.Next(numbers.Length)];
    }

    [SkippableFact]
    public void AttentionOfAllKindsEqualsADoubleLoop()
    {
        using var engine = CreateEngine();
        for (var seed = 0; seed < 60; seed++)
        {
            var attention = AttentionCase.Random(seed, longest: seed < 45 ? 12 : 150);
            TestNumbers.AssertClose(attention.Expected(), Forward(engine, attention.Run, attention.Inputs), 2e-5);
        }
    }

    [SkippableFact]
    public void AttentionOfAllKindsKeepsItsResultWhenTraining()
    {
        using var engine = CreateEngine();
        for (var seed = 0; seed < 30; seed++)
        {
            var attention = AttentionCase.Random(seed, longest: seed < 20 ? 12 : 150);
            var p = attention.Inputs.Select((x, i) => engine.CreateParameter($"p{i}", x.Shape, x.Values).Value).ToArray();
            using var tape = engine.BeginTape(training: true);
            TestNumbers.AssertClose(attention.Expected(), attention.Run(tape, p).ToArray(), 2e-5);
        }
    }

    [SkippableTheory]
    [InlineData(0f)]
    [InlineData(0.3f)]
    public void AttentionGradientsOfAllKinds(float dropout)
    {
        using var engine = CreateEngine();
        for (var seed = 100; seed < 106; seed++)
        {
            var attention = AttentionCase.Random(seed, longest: 3, dropout);
            GradientCheck.Run(engine, attention.Run, attention.Inputs);
            if (seed == 100)
                GradientCheck.Run(engine, (tape, p) => tape.Concat(attention.Run(tape, p), attention.Run(tape, p)), attention.Inputs);
        }
    }

    [SkippableFact]
    public void AttentionGradientsOverBlocksOfQueries()
    {
        using var engine = CreateEngine();
        const int Length = 133;
        var layout = new SequenceLayout([0, Length]);
        var spec = new AttentionSpec(1) { IsCausal = true, Window = 20, Dropout = 0.2f };
        GradientCheck.Run(
            engine,
            (tape, p) => tape.Attention(p[0], p[1], p[2], spec, layout, null, new AttentionBias(p[3], 19), p[4]),
            [
                Input.Random(1, Length, 1), Input.Random(2, Length, 1), Input.Random(3, Length, 1), Input.Random(4, 20, 1), Input.Random(5, 1),
            ]);
    }

    [SkippableFact]
    public void ASinkTakesWhatTheKeysDoNotGet()
    {
        using var engine = CreateEngine();
        var layout = new SequenceLayout([0, 2]);
        var spec = new AttentionSpec(1) { Scale = 0.5f };
        // two keys of score 0 beside a sink of score ln 2: half of the attention is left
        var half = Forward(
            engine,
            (tape, p) => tape.Attention(p[0], p[0], p[1], spec, layout, sinksH: p[2]),
            new Input([2, 1], [0f, 0f]),
            new Input([2, 1], [4f, 8f]),
            new Input([1], [MathF.Log(2f)]));
        TestNumbers.AssertClose([3.0, 3.0], half);
        // a sink far above all scores leaves nothing, one far below is not seen
        foreach (var (sink, expected) in new[] { (1e4f, 0.0), (-1e4f, 6.0) })
        {
            TestNumbers.AssertClose([expected, expected], Forward(
                engine,
                (tape, p) => tape.Attention(p[0], p[0], p[1], spec, layout, sinksH: p[2]),
                new Input([2, 1], [0f, 0f]),
                new Input([2, 1], [4f, 8f]),
                new Input([1], [sink])));
        }

        using var tape = engine.BeginTape(training: false);
        var x = tape.Constant(new float[2], 2, 1);
        Assert.Throws<ArgumentException>(() => tape.Attention(x, x, x, spec, layout, sinksH: tape.Constant(new float[2], 2)));
    }

    [SkippableFact]
    public void AttentionOfOneTensorTwiceOrThrice()
    {
        using var engine = CreateEngine();
        var layout = new SequenceLayout([0, 3, 5]);
        var other = new SequenceLayout([0, 1, 5]);
        var spec = new AttentionSpec(2);
        Input[] inputs = [Input.Random(1, 5, 6), Input.Random(2, 5, 6)];
        GradientCheck.Run(engine, (tape, p) => tape.Attention(p[0], p[0], p[0], spec, layout), inputs[..1]);
        GradientCheck.Run(engine, (tape, p) => tape.Attention(p[0], p[0], p[0], spec, layout, other), inputs[..1]);
        GradientCheck.Run(engine, (tape, p) => tape.Attention(p[0], p[1], p[1], spec, layout, other), inputs);
        GradientCheck.Run(engine, (tape, p) => tape.Attention(p[0], p[1], p[0], spec, layout, other), inputs);
    }

    [SkippableFact]
    public void PackedAttentionIsThatOfItsParts()
    {
        using var engine = CreateEngine();
        const int Width = 12;
        var layout = Layout(padded: true);
        var qkv = TestNumbers.Normal(1, 11 * 3 * Width);
        Input Part(int part) => new(
            [11, Width],
            [.. Enumerable.Range(0, 11 * Width).Select(i => qkv[i / Width * 3 * Width + part * Width + i % Width])]);
        var packed = Forward(engine, (tape, p) => tape.Attention(p[0], layout, 3), new Input([11, 3 * Width], qkv));
        var parts = Forward(
            engine, (tape, p) => tape.Attention(p[0], p[1], p[2], new AttentionSpec(3), layout), Part(0), Part(1), Part(2));
        TestNumbers.AssertClose(Reference.Doubles(packed), parts, 1e-6);
    }

    [SkippableFact]
    public void AttentionWithoutQueriesOrKeys()
    {
        using var engine = CreateEngine();
        var spec = new AttentionSpec(2, 1) { IsCausal = true };
        var (none, some) = (new SequenceLayout([0, 0]), new SequenceLayout([0, 2]));
        var (noRows, queries, keys) = (new Input([0, 4], []), Input.Random(1, 2, 4), Input.Random(2, 2, 2));
        var noKeys = new Input([0, 2], []);
        Assert.Empty(Forward(engine, (tape, p) => tape.Attention(p[0], p[1], p[1], spec, none), noRows, noKeys));
        Assert.Empty(Forward(engine, (tape, p) => tape.Attention(p[0], p[1], p[1], spec, none, some), noRows, keys));
        Assert.Equal(new float[8], Forward(engine, (tape, p) => tape.Attention(p[0], p[1], p[1], spec, some, none), queries, noKeys));
        GradientCheck.Run(engine, (tape, p) => tape.Attention(p[0], p[1], p[1], spec, some, none), [queries, noKeys]);

        // One query and one key: the value itself.
        var one = new SequenceLayout([0, 1]);
        Assert.Equal(
            [3f], Forward(engine, (tape, p) => tape.Attention(p[0], p[0], p[0], new AttentionSpec(1), one), new Input([1, 1], [3f])));
    }

    [SkippableFact]
    public void AttentionRejectsWhatDoesNotFit()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: false);
        Tensor Zeros(params int[] shape) => tape.Constant(new float[TestNumbers.Product(shape)], shape);
        var layout = new SequenceLayout([0, 2]);
        var (q, k) = (Zeros(2, 8), Zeros(2, 4));
        var spec = new AttentionSpec(4, 2);
        Assert.Equal([2, 8], tape.Attention(q, k, k, spec, layout).Shape.ToArray());
        Assert.Throws<ArgumentException>(() => tape.Attention(Zeros(2, 7), k, k, spec, layout));
        Assert.Throws<ArgumentException>(() => tape.Attention(q, Zeros(2, 8), k, spec, layout));
        Assert.Throws<ArgumentException>(() => tape.Attention(q, k, Zeros(2, 3), spec, layout));
        Assert.Throws<ArgumentException>(() => tape.Attention(q, k, k, spec, new SequenceLayout([0, 3])));
        Assert.Throws<ArgumentException>(() => tape.Attention(q, k, k, spec, layout, new SequenceLayout([0, 1, 2])));
        Assert.Throws<ArgumentException>(() => tape.Attention(q, k, k, spec, layout, null, new AttentionBias(Zeros(3, 2), 1)));
        Assert.Throws<ArgumentException>(() => tape.Attention(q, k, k, spec, layout, null, new AttentionBias(Zeros(2, 4), 1)));
        Assert.Throws<ArgumentException>(() => tape.Attention(q, k, k, spec, layout, null, new AttentionBias(Zeros(3, 4), 0)));
        tape.Attention(q, k, k, spec, layout, null, new AttentionBias(Zeros(3, 4), 1));
        tape.Attention(q, k, k, new AttentionSpec(4, 2) { IsCausal = true }, layout, null, new AttentionBias(Zeros(2, 4), 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new AttentionSpec(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new AttentionSpec(4, 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => new AttentionSpec(4) { Scale = 0f });
        Assert.Throws<ArgumentOutOfRangeException>(() => new AttentionSpec(4) { Scale = 1.5f });
        Assert.Throws<ArgumentOutOfRangeException>(() => new AttentionSpec(4) { Window = 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new AttentionSpec(4) { Dropout = 1f });
    }
}
