using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Inputs.Images;

/// <summary>Mixed images, and operations that are drawn.</summary>
public sealed class ImageMixingTests
{
    private static readonly ImageInput Input = new(6, 4, 3);

    [Fact]
    public void MixupBlendsAnImageWithItsPartner()
    {
        var original = TestNumbers.Normal(1, 5 * Input.Length);
        var images = (float[])original.Clone();
        var mixture = new ImageMixing(Input, new AugmentationConfig { MixupAlpha = 2 }).Mix(images, 5, new Random(3));

        Assert.Equal([0, 1, 2, 3, 4], mixture.Partners.Order());
        Assert.InRange(mixture.OwnShare, 0.01f, 0.99f);
        for (var i = 0; i < images.Length; i++)
        {
            var other = original[mixture.Partners[i / Input.Length] * Input.Length + i % Input.Length];
            Assert.Equal(mixture.OwnShare * original[i] + (1 - mixture.OwnShare) * other, images[i], 1e-5f);
        }
    }

    [Fact]
    public void CutMixTakesARectangleOfThePartnerAndAsMuchOfItsLabel()
    {
        var original = TestNumbers.Normal(1, 4 * Input.Length);
        for (var seed = 0; seed < 20; seed++)
        {
            var images = (float[])original.Clone();
            var mixture = new ImageMixing(Input, new AugmentationConfig { CutMixAlpha = 1 }).Mix(images, 4, new Random(seed));
            for (var image = 0; image < 4; image++)
            {
                var taken = Enumerable.Range(0, 24).Where(pixel => Pixel(images, image, pixel).SequenceEqual(Pixel(original, mixture.Partners[image], pixel))).ToList();
                Assert.All(Enumerable.Range(0, 24).Except(taken), pixel => Assert.Equal(Pixel(original, image, pixel), Pixel(images, image, pixel)));
                if (mixture.Partners[image] != image)
                    Assert.Equal(1 - taken.Count / 24f, mixture.OwnShare, 1e-6f);
            }
        }

        static float[] Pixel(float[] images, int image, int pixel) => images[(image * Input.Length + pixel * 3)..(image * Input.Length + pixel * 3 + 3)];
    }

    [Fact]
    public void SharesAreOfABetaDistribution()
    {
        foreach (var alpha in new[] { 0.4f, 3f })
        {
            var random = new Random(5);
            var mixing = new ImageMixing(new ImageInput(1, 1, 1), new AugmentationConfig { MixupAlpha = alpha });
            double[] shares = [.. Enumerable.Range(0, 4000).Select(_ => (double)mixing.Mix(new float[1], 1, random).OwnShare)];
            Assert.Equal(0.5, shares.Average(), 0.02);
            // variance 1/(4·(2α + 1))
            Assert.Equal(1 / (4 * (2 * alpha + 1)), shares.Average(share => (share - 0.5) * (share - 0.5)), 0.01);
        }
    }

    [Fact]
    public void OperationsDoWhatTheyAreCalled()
    {
        var operations = new RandomOperations(Input);
        var original = TestNumbers.Normal(2, Input.Length);
        for (var operation = 0; operation < RandomOperations.Count; operation++)
        {
            Assert.All(original.Zip(Changed(operation, 0)), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
            Assert.Equal(operation == 0, original.SequenceEqual(Changed(operation, 0.7f)));
            Assert.Equal(Changed(operation, -0.7f), Changed(operation, -0.7f));
        }

        // 0.33 · 6 pixels · 1/1.98 are one to the right
        var moved = Changed(4, 1 / 1.98f);
        for (var pixel = 0; pixel < 24; pixel++)
            Assert.Equal(original[(pixel % 6 == 5 ? pixel : pixel + 1) * 3], moved[pixel * 3], 1e-4f);
        Assert.Equal(original.Average(), Changed(7, 1).Average(), 1e-4f);
        Assert.Equal(original.Average() + 0.9f, Changed(6, 1).Average(), 1e-4f);
        Assert.Equal(original.Max() + original.Min() - original.Max(), Changed(10, 0.01f)[Array.IndexOf(original, original.Max())], 1e-4f);

        float[] Changed(int operation, float strength)
        {
            var pixels = (float[])original.Clone();
            operations.Apply(pixels, operation, strength);
            return pixels;
        }
    }

    [Fact]
    public void ACropShowsAPartOfTheImage()
    {
        var input = new ImageInput(16, 16, 1);
        float[] slope = [.. Enumerable.Range(0, 256).Select(i => (float)(i % 16))];
        var none = new AugmentationConfig { MaxShift = 0, MaxZoom = 0, MaxRotation = 0, EraseRate = 0 };
        var ranges = Enumerable.Range(0, 50).Select(seed =>
        {
            var pixels = (float[])slope.Clone();
            new ImageAugmentation(input, none with { LeastCrop = 0.25f }).Apply(pixels, new Random(seed));
            Assert.All(pixels, value => Assert.InRange(value, 0, 15));
            return pixels.Max() - pixels.Min();
        }).ToList();
        // half of the width at least, but for the factor of its sides
        Assert.InRange(ranges.Min(), 15 * 0.4f, 15 * 0.75f);
        Assert.InRange(ranges.Max(), 13, 15.01f);
        var unchanged = (float[])slope.Clone();
        new ImageAugmentation(input, none).Apply(unchanged, new Random(1));
        Assert.Equal(slope, unchanged);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void ATrainingWithEverythingIsTheSameWhateverTheNumberOfThreads(int threads)
    {
        Assert.Equal(Weights(2), Weights(threads));

        static float[] Weights(int threads)
        {
            using var engine = new ManagedEngine(threads);
            var config = ToyImages.Config(epochs: 2);
            var model = new ImageClassifierTrainer(
                config with
                {
                    Augmentation = new()
                    {
                        LeastCrop = 0.5f, ColourJitter = 0.3f, RandomOperations = 2, MixupAlpha = 0.4f, CutMixAlpha = 1f, HorizontalFlip = true,
                    },
                },
                ToyImages.Input,
                ToyImages.Classes,
                engine).Train(ToyImages.Rows(60, seed: 1));
            return [.. model.Parameters.All.SelectMany(p => p.Parameter.Value.ToArray())];
        }
    }

    [Fact]
    public void MixedImagesAreLearnedByASharesOfBothLabels()
    {
        using var engine = new ManagedEngine(2);
        var config = ToyImages.Config(epochs: 1);
        var model = new ImageClassifierTrainer(config, ToyImages.Input, ToyImages.Classes, engine).Train(ToyImages.Rows(30, seed: 1));
        var rows = ToyImages.Rows(4, seed: 2);
        var augmentation = new AugmentationConfig { MaxShift = 0, MaxZoom = 0, MaxRotation = 0, EraseRate = 0, MixupAlpha = 5 };
        var packer = ((PatchInput)model.Input).CreatePacker(augmentation);
        var training = new TrainingConfig { LabelSmoothing = 0 };
        var objective = new LossOf(model, packer, rows, training);

        objective.Prepare([0, 1, 2, 3], new Random(8));
        objective.Accumulate(1f);

        var (mixture, logits) = objective.Seen;
        var expected = 0.0;
        for (var row = 0; row < 4; row++)
        {
            var scores = logits.AsSpan(row * 3, 3).ToArray();
            var sum = Math.Log(scores.Sum(score => Math.Exp(score)));
            expected += (mixture!.OwnShare * (sum - scores[(int)rows[row].Target])
                + (1 - mixture.OwnShare) * (sum - scores[(int)rows[mixture.Partners[row]].Target])) / 4;
        }

        Assert.Equal(expected, objective.Value, 1e-4);
    }

    private sealed class LossOf(Model<ImagePixels> model, Packer<ImagePixels> packer, List<Example<ImagePixels>> rows, TrainingConfig training)
        : MixedImageObjective(model, packer, rows, [], training, null)
    {
        public (BatchMixture? Mixture, float[] Logits) Seen { get; private set; }

        public double Value { get; private set; }

        protected override Tensor Loss(Tape tape, Head head, Tensor scores, Batch batch, Targets targets, TrainingConfig config)
        {
            Seen = (((ImageBatch)batch).Mixture, scores.ToArray());
            var loss = base.Loss(tape, head, scores, batch, targets, config);
            Value = loss.ToArray()[0];
            return loss;
        }
    }
}
