using System.IO.Compression;
using Microsoft.ML.Moe.Experiments.Data;

namespace Microsoft.ML.Moe.Experiments.Tests;

public class ImageStudyTests
{
    [Fact]
    public void Every_arm_is_trained_corrupted_attacked_and_compared_with_masks()
    {
        using var folder = new TemporaryFolder();
        string[] args =
            ["images", "--data", folder.Path, "--out", folder["out"], "--seeds", "1", "--epochs", "1", "--rows", "8", "--sets", "shapes"];
        Assert.Equal(0, CommandLine.Run(args));

        var table = File.ReadAllLines(folder["out/images.md"]).Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Skip(1).ToList();
        Assert.Equal(["convolutions alone", "dense", "Token Choice", "Expert Choice", "Unified", "Soft"], table.Select(line => line.Split('|')[1].Trim()));
        // what chooses no expert separates nothing
        Assert.Equal([2, 2, 0, 0, 0, 2], table.Select(line => line.Count(c => c == '–')));
    }

    [Fact]
    public void Every_stem_is_trained_and_its_time_told()
    {
        using var folder = new TemporaryFolder();
        string[] args =
        [
            "image-stems", "--data", folder.Path, "--out", folder["out"], "--seeds", "1", "--epochs", "1", "--rows", "40", "--sets", "digits",
        ];
        WriteDigits(folder["digits"], rows: 60);
        Assert.Equal(0, CommandLine.Run(args));

        var lines = File.ReadAllLines(folder["out/image-stems.md"]);
        var table = lines.Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Skip(1).ToList();
        string[] stems = ["patches", "convolutions, experts", "convolutions, dense", "convolutions alone", "LightGBM", "linear model"];
        Assert.Equal(stems, table.Select(line => line.Split('|')[2].Trim()));
        Assert.DoesNotContain(table, line => line.Contains('–', StringComparison.Ordinal));
    }

    [Fact]
    public void A_published_network_is_read_by_two_linear_models_and_fine_tuned()
    {
        using var folder = new TemporaryFolder();
        string[] args = ["image-encoder", "--data", folder.Path, "--out", folder["out"], "--seeds", "1", "--rows", "10", "--sets", "digits"];
        WriteDigits(folder["digits"], rows: 60);
        Assert.Equal(0, CommandLine.Run(args));

        var table = File.ReadAllLines(folder["out/image-encoder.md"]).Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Skip(1).ToList();
        string[] arms = ["frozen, ML.NET's logistic regression", "frozen", "FineTuning = Auto", "FineTuning = Auto, images changed more"];
        Assert.Equal([.. arms, .. arms], table.Select(line => line.Split('|')[3].Trim()));
        // ML.NET's model is asked for its accuracy alone
        Assert.Equal([2, 0, 0, 0, 2, 0, 0, 0], table.Select(line => line.Count(c => c == '–')));
    }

    /// <summary>Images of 8 × 8 pixels and their labels, in the form of the digits, which are made up.</summary>
    private static void WriteDigits(string folder, int rows)
    {
        var random = new Random(1);
        Directory.CreateDirectory(folder);
        using var writer = new StreamWriter(new GZipStream(File.Create(Path.Combine(folder, "digits.csv.gz")), CompressionMode.Compress));
        for (var row = 0; row < rows; row++)
            writer.WriteLine(string.Join(',', Enumerable.Range(0, 64).Select(_ => random.Next(17)).Append(row % 10)));
    }

    [Fact]
    public void Shapes_are_made_of_their_number_and_lie_whole_within_the_image()
    {
        for (var number = 0; number < 200; number++)
        {
            var (pixels, mask, shape) = ShapesOnTextures.Create(number);
            Assert.Equal(pixels, ShapesOnTextures.Create(number).Pixels);
            Assert.Equal(number % ShapesOnTextures.Shapes, shape);
            Assert.InRange(mask.Count(shows => shows), 15, ShapesOnTextures.Side * ShapesOnTextures.Side / 2);
            Assert.DoesNotContain(Enumerable.Range(0, mask.Length), i => mask[i] && (i % ShapesOnTextures.Side == 0 || i < ShapesOnTextures.Side));
        }
    }
}
