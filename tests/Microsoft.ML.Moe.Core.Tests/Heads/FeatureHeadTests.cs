using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Heads;

/// <summary>Heads that read numbers made of an encoder's states, in double loops.</summary>
public sealed class FeatureHeadTests : IDisposable
{
    private const int D = TinyEncoder.Width;
    private static readonly string[] Texts = ["weather", "a", "", "thequickbrownfoxjumps", "jumps"];

    private readonly ManagedEngine _engine = new(2);
    private readonly TinyEncoder _tiny = new();

    public void Dispose()
    {
        _engine.Dispose();
        _tiny.Dispose();
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 3)]
    [InlineData(2, 1)]
    [InlineData(2, 2)]
    public void PooledStatesAreMeansOverTokens(int windows, int layers)
    {
        var model = _tiny.Pooled(_engine, windows == 1 ? TextWindows.Whole : TextWindows.BothEnds, layers);
        EncodedText[] rows = [.. Texts.Select(text => model.Input.Encode(text))];

        var (features, encoded, batch, tape) = Features(model, rows);

        using (tape)
            for (var row = 0; row < rows.Length; row++)
                for (var window = 0; window < windows; window++)
                    for (var layer = 0; layer < layers; layer++)
                    {
                        var expected = Mean(encoded.After(TinyEncoder.Layers - layers + 1 + layer).ToArray(), batch.Layout, row * windows + window);
                        var actual = features.AsSpan(((row * windows + window) * layers + layer) * D, D);
                        AssertClose(expected, actual, 1e-5);
                    }
    }

    [Fact]
    public void ScoresAreThoseOfTheLayerOverThem()
    {
        var model = _tiny.Pooled(_engine);
        var head = (FeatureHead)model.Head;
        head.Layer = new Probe(head.Width, TestNumbers.Normal(1, head.Width * 3), TestNumbers.Normal(2, 3));
        EncodedText[] rows = [.. Texts.Select(text => model.Input.Encode(text))];
        var states = new FrozenPass<EncodedText>(model).Run(rows);

        var logarithms = head.Layer.ScoreLogarithms(_engine, new ProbeExamples(states.Features, states.Width, new int[5], new float[5]));

        Assert.All(model.Scores(rows).Zip(logarithms), pair => Assert.Equal(pair.First, MathF.Exp(pair.Second), 1e-5f));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void FeaturesOfAPairAreThoseOfItsTexts(int layers)
    {
        var model = Pair(layers);
        EncodedText[] rows = [model.Input.Encode("abc", "abd"), model.Input.Encode("", "xyzzy"), model.Input.Encode("abcabc", "a"), model.Input.Encode("cab", "abc")];

        var (features, encoded, batch, tape) = Features(model, rows);

        using (tape)
        {
            var head = (PairClassesHead)model.Head;
            Assert.Equal(4 * layers * D + 26, head.Width);
            Assert.Equal(26, head.Emphasised);
            for (var row = 0; row < rows.Length; row++)
            {
                double[] u = Pooled(encoded, batch.Layout, 2 * row, layers), v = Pooled(encoded, batch.Layout, 2 * row + 1, layers);
                var cosine = Dot(u, v) / Math.Sqrt(Dot(u, u) * Dot(v, v));
                double[] expected =
                [
                    .. u, .. v, .. u.Zip(v, (x, y) => Math.Abs(x - y)), .. u.Zip(v, (x, y) => x * y),
                    .. rows[row].Linear!.Counts.Select(count => (double)count), cosine,
                    .. Alignment(encoded.After(1).ToArray(), (TokenIdBatch)batch, row), .. Alignment(encoded.Last.ToArray(), (TokenIdBatch)batch, row),
                ];
                AssertClose(expected, features.AsSpan(row * head.Width, head.Width), 2e-5);
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void FeaturesDependNeitherOnTheBatchNorOnThreads(bool isPair)
    {
        EncodedText[] Rows(Model<EncodedText> model) =>
            [.. Texts.Select((text, i) => isPair ? model.Input.Encode(text, Texts[(i + 1) % 5]) : model.Input.Encode(text))];
        Model<EncodedText> On(Engine engine) => isPair ? Pair(2, engine) : _tiny.Pooled(engine, TextWindows.BothEnds);
        using var one = new ManagedEngine(1);
        var (model, ofOne) = (On(_engine), On(one));

        var together = new FrozenPass<EncodedText>(model).Run(Rows(model));

        Assert.Equal(together.Features, new FrozenPass<EncodedText>(ofOne).Run(Rows(ofOne)).Features);
        foreach (var (i, row) in Rows(model).Index())
            AssertClose(
                [.. new FrozenPass<EncodedText>(model).Run([row]).Features.Select(x => (double)x)],
                together.Features.AsSpan(i * together.Width, together.Width),
                1e-5);
    }

    [Fact]
    public void RarityIsSavedWithTheModel()
    {
        var model = Pair(1);
        var (config, weights) = model.Save();

        var loaded = ModelFiles.LoadText(new MemoryStream(config), new MemoryStream(weights), _engine, _tiny.Open().Tokenizer);

        Assert.Equal(model.Values("head.rarity"), loaded.Values("head.rarity"));
        var row = model.Input.Encode("abc", "cbd");
        Assert.Equal(new FrozenPass<EncodedText>(model).Run([row]).Features, new FrozenPass<EncodedText>(loaded).Run([row]).Features);
    }

    [Fact]
    public void AHeadAndAnInputThatDoNotGoTogetherAreRefused()
    {
        foreach (var (from, to) in new[] { ("\"windows\": \"apart\"", "\"windows\": \"whole\""), ("\"linear\": \"words\"", "\"linear\": \"none\"") })
        {
            var (config, weights) = Pair(1).Save();
            var text = System.Text.Encoding.UTF8.GetString(config);
            var changed = text.Replace(from, to, StringComparison.Ordinal);
            Assert.NotEqual(text, changed);

            Assert.Throws<InvalidDataException>(() => ModelFiles.LoadText(
                new MemoryStream(System.Text.Encoding.UTF8.GetBytes(changed)), new MemoryStream(weights), _engine, _tiny.Open().Tokenizer));
        }
    }

    [Fact]
    public void AnEncoderHasAsManyLayersAsAreRead() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => _tiny.Pooled(_engine, layers: TinyEncoder.Layers + 1));

    private Model<EncodedText> Pair(int layers, Engine? engine = null)
    {
        var source = _tiny.Open();
        var head = new PairClassesHeadConfig { Classes = 2, Layers = layers, VocabularySize = source.Encoder.VocabularySize };
        var model = source.CreateModel(engine ?? _engine, source.CreateInput(8, LinearInput.Words, TextWindows.Apart), head, seed: 1);
        ((PairClassesHead)model.Head).SetRarity([.. Enumerable.Range(0, 40).Select(id => 1 + id % 7 * 0.3f)]);
        return model;
    }

    private static (float[] Features, EncoderOutput Encoded, Batch Batch, Tape Tape) Features(Model<EncodedText> model, EncodedText[] rows)
    {
        var tape = model.Engine.BeginTape(training: false);
        var batch = model.Input.CreatePacker(model.Packing()).Pack(rows);
        var encoded = model.Encode(tape, batch);
        return (((FeatureHead)model.Head).Features(tape, encoded, batch).ToArray(), encoded, batch, tape);
    }

    private static double[] Pooled(EncoderOutput encoded, SequenceLayout layout, int sequence, int layers) =>
        [.. Enumerable.Range(0, layers).SelectMany(k => Mean(encoded.After(TinyEncoder.Layers - layers + 1 + k).ToArray(), layout, sequence))];

    private static double[] Mean(float[] states, SequenceLayout layout, int sequence)
    {
        var (start, end) = (layout.Offsets[sequence], layout.Offsets[sequence + 1]);
        return [.. Enumerable.Range(0, D).Select(d => Enumerable.Range(start, end - start).Average(t => (double)states[t * D + d]))];
    }

    private static IEnumerable<double> Alignment(float[] states, TokenIdBatch batch, int row)
    {
        var (first, second) = (Inner(2 * row), Inner(2 * row + 1));
        int[] ids = [.. batch.Ids];
        return [.. Ways(first, second), .. Ways(second, first)];

        int[] Inner(int sequence)
        {
            var (start, end) = (batch.Layout.Offsets[sequence], batch.Layout.Offsets[sequence + 1]);
            return [.. end - start > 2 ? Enumerable.Range(start + 1, end - start - 2) : Enumerable.Range(start, end - start)];
        }

        IEnumerable<double> Ways(int[] from, int[] to)
        {
            double[] best = [.. from.Select(x => to.Max(y => Dot(State(x), State(y)) / Math.Sqrt(Dot(State(x), State(x)) * Dot(State(y), State(y)))))];
            double[] rarity = [.. from.Select(x => 1 + ids[x] % 7 * 0.3)];
            return [best.Average(), best.Min(), best.Zip(rarity, (b, r) => b * r).Sum() / rarity.Sum()];
        }

        double[] State(int token) => [.. states.AsSpan(token * D, D).ToArray().Select(x => (double)x)];
    }

    private static double Dot(double[] x, double[] y) => x.Zip(y, (a, b) => a * b).Sum();

    private static void AssertClose(double[] expected, ReadOnlySpan<float> actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance * Math.Max(1, Math.Abs(expected[i])), $"{i}: {expected[i]}, {actual[i]}");
    }
}
