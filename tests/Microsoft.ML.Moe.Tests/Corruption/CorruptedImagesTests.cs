using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Tests.ImageClassification;
using SkiaSharp;

namespace Microsoft.ML.Moe.Tests.Corruption;

/// <summary>Tables of corrupted images as ML.NET reads them.</summary>
public sealed class CorruptedImagesTests
{
    private static readonly ImageCorruption Noise = new(ImageCorruptionKind.GaussianNoise) { Severity = 5, Seed = 3 };

    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void PixelsAreCorruptedAlikeInWhateverOrderTheyAreRead()
    {
        var source = _ml.Data.Cache(_ml.Data.LoadFromEnumerable(ImageTables.Rows(40)));
        var table = _ml.Data.CorruptImages(source, "Features", Noise, "IsChanged");
        var expected = ById(table);

        Assert.Equal(expected, ById(_ml.Data.ShuffleRows(table, seed: 9)));
        Assert.All(table.GetColumn<bool>("IsChanged"), Assert.True);
        Assert.Equal(source.Schema["Features"].Type, table.Schema["Features"].Type);
        foreach (var row in ImageTables.Rows(40))
        {
            Assert.NotEqual(row.Features, expected[row.Id]);
            Assert.All(expected[row.Id], value => Assert.InRange(value, 0f, 255f));
        }
    }

    [Fact]
    public void FilesBecomeFilesOfTheSameSizeWithTheSamePixelsAsPixelsWouldHave()
    {
        var file = ImageFiles.Encode(SKEncodedImageFormat.Png, 23, 17);
        var table = _ml.Data.CorruptImages(_ml.Data.LoadFromEnumerable([new ImageRow { Image = file }]), "Image", Noise);
        var spoiled = table.GetColumn<byte[]>("Image").Single();

        var (before, width, height) = ImageDecoding.DecodeColours(file);
        var (after, newWidth, newHeight) = ImageDecoding.DecodeColours(spoiled);
        Assert.Equal((23, 17), (width, height));
        Assert.Equal((width, height), (newWidth, newHeight));
        Assert.NotEqual(before, after);
        // what is random is the row's alone, whatever its form
        Assert.Equal(spoiled, table.GetColumn<byte[]>("Image").Single());
    }

    [Fact]
    public void WhatCannotBeCorruptedIsNamed()
    {
        var data = _ml.Data.LoadFromEnumerable([new ImageRow { Image = [1, 2, 3], Label = "a", Features = new float[36] }]);
        Contains("'Nowhere'", () => _ml.Data.CorruptImages(data, "Nowhere", Noise));
        Contains("'Label'", () => _ml.Data.CorruptImages(data, "Label", Noise));
        Contains("'Id'", () => _ml.Data.CorruptImages(data, "Features", Noise, "Id"));
        var error = Assert.ThrowsAny<Exception>(() => _ml.Data.CorruptImages(data, "Image", Noise).GetColumn<byte[]>("Image").ToList());
        Assert.Contains("column 'Image'", error.ToString(), StringComparison.Ordinal);

        static void Contains(string named, Func<IDataView> make) =>
            Assert.Contains(named, Assert.ThrowsAny<ArgumentException>(make).Message, StringComparison.Ordinal);
    }

    private Dictionary<int, float[]> ById(IDataView table) =>
        _ml.Data.CreateEnumerable<ImageRow>(table, reuseRowObject: false, ignoreMissingColumns: true).ToDictionary(row => row.Id, row => row.Features);
}
