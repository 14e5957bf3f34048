using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Tests.Inputs;

public class ImageAugmentationTests
{
    private static readonly AugmentationConfig Nothing = new() { MaxShift = 0, MaxZoom = 0, MaxRotation = 0, EraseRate = 0 };
    private static readonly ImageInput Input = new(6, 5, 2);
    private static readonly float[] Image = [.. Enumerable.Range(1, Input.Length).Select(i => (float)i)];

    [Fact]
    public void WithoutAnyItStaysAsItIs() => Assert.Equal(Image, Apply(Nothing, seed: 1));

    [Fact]
    public void TheSameChanceGivesTheSameImage()
    {
        var options = new AugmentationConfig { MaxShift = 0.2f, MaxZoom = 0.2f, MaxRotation = 20f, EraseRate = 0.5f, HorizontalFlip = true };

        Assert.Equal(Apply(options, seed: 1), Apply(options, seed: 1));
        Assert.NotEqual(Apply(options, seed: 1), Apply(options, seed: 2));
    }

    [Fact]
    public void HalfOfTheImagesAreMirrored()
    {
        float[] mirrored =
        [
            .. Enumerable.Range(0, Input.Length).Select(i => (Y: i / 12, X: i % 12 / 2, C: i % 2)).Select(p => Image[((p.Y * 6) + 5 - p.X) * 2 + p.C]),
        ];
        var results = Enumerable.Range(0, 200).Select(seed => Apply(Nothing with { HorizontalFlip = true }, seed)).ToList();

        Assert.All(results, r => Assert.True(r.SequenceEqual(Image) || r.SequenceEqual(mirrored)));
        Assert.InRange(results.Count(r => r.SequenceEqual(mirrored)), 70, 130);
    }

    [Fact]
    public void HalfOfTheImagesHaveRowsAndColumnsExchanged()
    {
        var input = new ImageInput(5, 5, 2);
        float[] image = [.. Enumerable.Range(1, 50).Select(i => (float)i)];
        float[] turned = [.. Enumerable.Range(0, 50).Select(i => image[(i / 2 % 5 * 5 + i / 10) * 2 + i % 2])];
        var results = Enumerable.Range(0, 200).Select(seed =>
        {
            var pixels = (float[])image.Clone();
            new ImageAugmentation(input, Nothing with { Transposition = true }).Apply(pixels, new Random(seed));
            return pixels;
        }).ToList();

        Assert.All(results, r => Assert.True(r.SequenceEqual(image) || r.SequenceEqual(turned)));
        Assert.InRange(results.Count(r => r.SequenceEqual(turned)), 70, 130);
    }

    [Fact]
    public void AnImageThatIsNotSquareIsTurnedWithinItsBounds()
    {
        // two halves, one above the other, come to lie side by side
        var input = new ImageInput(8, 4, 1);
        var results = Enumerable.Range(0, 40).Select(seed =>
        {
            float[] pixels = [.. Enumerable.Range(0, 32).Select(i => i < 16 ? 1f : 0f)];
            new ImageAugmentation(input, Nothing with { Transposition = true }).Apply(pixels, new Random(seed));
            return pixels;
        }).ToList();

        Assert.Contains(results, r => Enumerable.Range(0, 32).All(i => MathF.Abs(r[i] - (i % 8 < 3 ? 1 : i % 8 > 4 ? 0 : r[i])) < 1e-5f));
    }

    [Fact]
    public void AnImageOfOneValueIsOnlyChangedByBlanking()
    {
        var input = new ImageInput(9, 9, 1);
        var moved = new AugmentationConfig
        {
            MaxShift = 0.3f, MaxZoom = 0.3f, MaxRotation = 45f, EraseRate = 0, HorizontalFlip = true, Transposition = true,
        };
        var pixels = new float[81];
        for (var seed = 0; seed < 50; seed++)
        {
            Array.Fill(pixels, 3f);
            new ImageAugmentation(input, moved).Apply(pixels, new Random(seed));
            Assert.All(pixels, p => Assert.Equal(3f, p, 1e-5f));
        }
    }

    [Fact]
    public void ABlankedRectangleCoversAShareOfTheImage()
    {
        var input = new ImageInput(20, 20, 1);
        var pixels = new float[400];
        for (var seed = 0; seed < 50; seed++)
        {
            Array.Fill(pixels, 3f);
            new ImageAugmentation(input, Nothing with { EraseRate = 0.99999f }).Apply(pixels, new Random(seed));
            var blank = Enumerable.Range(0, 400).Where(i => pixels[i] == 0).ToList();
            Assert.InRange(blank.Count, 4, 100);
            var (columns, rows) = (blank.Select(i => i % 20).Distinct().Count(), blank.Select(i => i / 20).Distinct().Count());
            Assert.Equal(columns * rows, blank.Count);
        }
    }

    [Fact]
    public void AShiftMovesContentThatItDoesNotChange()
    {
        var input = new ImageInput(21, 21, 1);
        var pixels = new float[441];
        var moved = 0.0;
        for (var seed = 0; seed < 20; seed++)
        {
            Array.Clear(pixels);
            pixels[10 * 21 + 10] = 1;
            new ImageAugmentation(input, Nothing with { MaxShift = 0.2f }).Apply(pixels, new Random(seed));
            Assert.Equal(1f, pixels.Sum(), 1e-4f);
            var (x, y) = (pixels.Select((p, i) => p * (i % 21)).Sum(), pixels.Select((p, i) => p * (i / 21)).Sum());
            Assert.InRange(x, 10 - 4.3, 10 + 4.3);
            Assert.InRange(y, 10 - 4.3, 10 + 4.3);
            moved = Math.Max(moved, Math.Abs(x - 10));
        }

        Assert.InRange(moved, 2, 4.3);
    }

    private static float[] Apply(AugmentationConfig options, int seed)
    {
        float[] pixels = [.. Image];
        new ImageAugmentation(Input, options).Apply(pixels, new Random(seed));
        return pixels;
    }
}
