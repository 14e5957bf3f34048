using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Inputs;

/// <summary>Models whose tokens are made by convolutions.</summary>
public sealed class ConvolutionalStemTests : IDisposable
{
    private readonly ManagedEngine _engine = new(2);

    // six pixels a side have nothing to be halved: two stages, so that one is
    private static readonly ImageInput Input = new(9, 10, 1);

    public void Dispose() => _engine.Dispose();

    [Theory]
    [InlineData(28, 28, 64, new[] { 16, 32, 64 }, 49)]
    [InlineData(64, 64, 64, new[] { 8, 16, 32, 64 }, 64)]
    [InlineData(96, 96, 64, new[] { 8, 8, 16, 32, 64 }, 36)]
    [InlineData(33, 20, 128, new[] { 32, 64, 128 }, 45)]
    [InlineData(8, 8, 24, new[] { 24 }, 64)]
    [InlineData(1024, 1024, 64, new[] { 8, 8, 8, 8, 16, 32, 64 }, 256)]
    public void HalvingsGiveAboutSixtyTokens(int width, int height, int tokenWidth, int[] widths, int tokens)
    {
        var input = new ImageInput(width, height, 3);
        var stem = StemConfig.For(input, tokenWidth, batchNorm: true);

        Assert.Equal(widths, stem.Widths);
        Assert.Equal(tokens, new PatchGrid(input, stem.TokenSide, 0).Patches);
        var (_, outputs, entry) = stem.Stages(input).Last();
        Assert.Equal((tokens, tokenWidth), (entry.ResultHeight * entry.ResultWidth, outputs));
    }

    [Fact]
    public void ItsCostIsThatOfItsProducts()
    {
        // c16 R d32 R d64 R over 28 × 28: 3·3·C·O a pixel, and twice 3·3·O·O
        const double expected = 9 * (784 * (1 * 16 + 2 * 16 * 16) + 196 * (16 * 32 + 2 * 32 * 32) + 49 * (32 * 64 + 2 * 64 * 64));
        var input = new ImageInput(28, 28, 1);
        Assert.Equal(expected, StemConfig.For(input, 64, batchNorm: true).Cost(input), 1e-6);
    }

    [Fact]
    public void PassesHoldFewerImagesThanTheirTokensWouldLet()
    {
        var input = new ImageInput(28, 28, 1);
        var config = new ImageClassifierConfig().For(input).Measure([new(input.Encode(new float[784]), 0)], input);
        var row = input.Encode(new float[784]);

        // 8 results of 784 × 16, 196 × 32 and 49 × 64 numbers, in tokens of 12 × 64
        Assert.Equal((49, 228), (new PatchInput(config).TokensOf(row), new PatchInput(config).LoadOf(row)));
        Assert.Equal(1024, new StemConfig { Widths = [12 * 128] }.Load(new ImageInput(16, 96, 1)));
        var patches = new PatchInput(config with { Stem = null, PatchSize = 4 });
        Assert.Equal((49, 49), (patches.TokensOf(row), patches.LoadOf(row)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(0)]
    public void LearnsAndScoresTheSameWhenItIsLoaded(int moeEvery)
    {
        var model = Train(Config(16).WithEncoder(e => e with { MoeEvery = moeEvery }));
        ImagePixels[] images = [.. Rows(40, seed: 2).Select(row => row.Input)];

        Assert.InRange(model.Measure(Rows(150, seed: 2)).Metric, 0.95, 1);
        var (config, weights) = model.Save();
        var loaded = ModelFiles.LoadImage(new MemoryStream(config), new MemoryStream(weights), _engine);
        Assert.Equal(model.Scores(images), loaded.Scores(images));
        Assert.Equal([8, 16], ((ImageInputConfig)loaded.Config.Input).Stem!.Widths);
        Assert.Equal("row 5, column 5", loaded.Input.TextOf(images[0], 24));
    }

    [Fact]
    public void SameSeedSameModelWhateverTheThreads()
    {
        Assert.Equal(Scores(1), Scores(2));
        Assert.Equal(Scores(1), Scores(3));

        static float[] Scores(int threads)
        {
            using var engine = new ManagedEngine(threads);
            return new ImageClassifierTrainer(Config(1), Input, ToyImages.Classes, engine).Train(Rows(60, seed: 1))
                .Scores([.. Rows(20, seed: 2).Select(row => row.Input)]);
        }
    }

    [Fact]
    public void GradientsByPixelsAreThoseOfTheLoss()
    {
        // all experts: where a choice changes, a loss has no slope
        var model = Train(Config(4)).WithRouting(Router.TokenChoice(3));
        var rows = Rows(3, seed: 2);
        var images = rows.Select(row =>
        {
            var values = new float[Input.Length];
            row.Input.CopyTo(values);
            return values;
        }).ToArray();
        int[] classes = [.. rows.Select(row => (int)row.Target)];
        var gradients = new float[3 * Input.Length];
        new PixelGradients(model).Of(images, classes, gradients);

        var largest = gradients.Max(Math.Abs);
        Assert.True(largest > 1e-4, $"{largest}");
        for (var i = 0; i < gradients.Length; i += 7)
        {
            var (image, place) = Math.DivRem(i, Input.Length);
            Assert.Equal((Loss(image, place, 2e-3f) - Loss(image, place, -2e-3f)) / 4e-3, gradients[i], 0.05 * largest);
        }

        double Loss(int image, int place, float by)
        {
            var changed = (float[])images[image].Clone();
            changed[place] += by;
            var outputs = new float[model.Outputs];
            model.Score([new ImagePixels(changed)], outputs);
            return -Math.Log(outputs[classes[image]]);
        }
    }

    [Fact]
    public void ALaterTrainingGoesOnWithTheEarlierStem()
    {
        var first = Train(Config(2));
        var patches = (Config(1) with { Stem = ImageStem.Patches }).WithTraining(t => t.LearningNothing());

        var second = new ImageClassifierTrainer(patches, Input, ToyImages.Classes, _engine, WarmStart.From(first, [0, 1, 2]))
            .Train(Rows(30, seed: 1));

        Assert.Equal([8, 16], ((ImageInputConfig)second.Config.Input).Stem!.Widths);
        foreach (var ((before, role), (after, _)) in first.Parameters.All.Zip(second.Parameters.All))
        {
            Assert.Equal(before.Name, after.Name);
            var isClose = before.Value.ToArray().Zip(after.Value.ToArray()).All(pair => Math.Abs(pair.First - pair.Second) < 1e-4f);
            // what norms have seen of batches goes on with those of the later training
            Assert.Equal(role != ParameterRole.Statistic, isClose);
        }
    }

    [Fact]
    public void RanksThatShareBatchesEndWithTheSameModel()
    {
        var earlier = Train(Config(2));
        Assert.True(StemOf(earlier).BatchNorm);
        foreach (var start in (WarmStart?[])[null, WarmStart.From(earlier, [0, 1, 2])])
        {
            var (alone, of) = (Weights(1), Weights(2));
            Assert.Equal(alone[0], of[0]);
            Assert.Equal(alone[0], of[1]);

            float[][] Weights(int size) => ThreadRanks.Run(size, ranks =>
            {
                using var engine = new ManagedEngine(1);
                var config = Config(1).WithTraining(t => t with { DataParallel = new DataParallel(ranks, shards: 2) });
                var model = new ImageClassifierTrainer(config, Input, ToyImages.Classes, engine, start).Train(Rows(30, seed: 1));
                Assert.Equal(start is not null, StemOf(model).BatchNorm);
                return model.Parameters.All.SelectMany(p => p.Parameter.Value.ToArray()).ToArray();
            });
        }

        static StemConfig StemOf(Model<ImagePixels> model) => ((ImageInputConfig)model.Config.Input).Stem!;
    }

    [Theory]
    [InlineData("8,16", "8,8", "another width")]
    [InlineData("8,16", "8", "tokens of 1 pixels")]
    [InlineData("8,16", "", "Widths")]
    [InlineData("8,16", "-8,16", "Widths")]
    [InlineData("8,16", "5000,16", "Widths")]
    [InlineData("8,16", "8,8,8,8,8,8,8,16", "Widths")]
    public void AnImpossibleStemIsNamed(string before, string after, string named)
    {
        var (config, weights) = Train(Config(1)).Save();
        var text = string.Concat(System.Text.Encoding.UTF8.GetString(config).Where(c => !char.IsWhiteSpace(c)));
        Assert.Contains($"\"widths\":[{before}]", text, StringComparison.Ordinal);
        text = text.Replace($"\"widths\":[{before}]", $"\"widths\":[{after}]", StringComparison.Ordinal);

        var error = Assert.Throws<InvalidDataException>(() => ModelFiles.LoadImage(
            new MemoryStream(System.Text.Encoding.UTF8.GetBytes(text)), new MemoryStream(weights), _engine));

        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    private static ImageClassifierConfig Config(int epochs) =>
        ToyImages.Config(epochs) with { PatchSize = null, Stem = ImageStem.Convolutional };

    private Model<ImagePixels> Train(ImageClassifierConfig config) =>
        new ImageClassifierTrainer(config, Input, ToyImages.Classes, _engine).Train(Rows(300, seed: 1));

    /// <summary>The toy's images amid zeros.</summary>
    private static List<Example<ImagePixels>> Rows(int count, int seed) => [.. ToyImages.Rows(count, seed).Select(row =>
    {
        var (small, large) = (new float[36], new float[Input.Length]);
        row.Input.CopyTo(small);
        for (var i = 0; i < 36; i++)
            large[(i / 6 + 2) * 9 + i % 6 + 1] = small[i];
        return row with { Input = Input.Encode(large) };
    })];
}
