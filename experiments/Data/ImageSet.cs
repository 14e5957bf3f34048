using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Training;
using SkiaSharp;

namespace Microsoft.ML.Moe.Experiments.Data;

/// <summary>A set of images with classes.</summary>
/// <param name="Input">What the images are like.</param>
/// <param name="Classes">Number of classes.</param>
/// <param name="Training">Rows to learn from.</param>
/// <param name="Test">Rows to measure on.</param>
/// <param name="Augmentation">How images are changed while training.</param>
internal sealed record ImageSet(
    ImageInput Input,
    int Classes,
    IReadOnlyList<Example<ImagePixels>> Training,
    IReadOnlyList<Example<ImagePixels>> Test,
    AugmentationConfig Augmentation)
{
    public const string Digits = "digits";
    public const string FashionMnist = "fashion-mnist";
    public const string Trashnet = "trashnet";
    public const string Shapes = "shapes";

    private const int RowsOfShapes = 2000;

    /// <summary>Of each test row which pixels show an object; null where that is not known.</summary>
    public IReadOnlyList<bool[]>? Masks { get; init; }

    public static IReadOnlyList<string> Names { get; } = [Digits, FashionMnist, Trashnet, Shapes];

    /// <summary>Loads a set.</summary>
    /// <param name="folder">Folder of the data sets.</param>
    /// <param name="name">Which of <see cref="Names"/>.</param>
    /// <param name="rows">Rows of each table at most, evenly spread over it; null for all.</param>
    public static ImageSet Load(string folder, string name, int? rows) => name switch
    {
        Digits => OfDigits(Path.Combine(folder, Digits, "digits.csv.gz"), rows),
        FashionMnist => OfFashion(Path.Combine(folder, FashionMnist), rows),
        Trashnet => OfTrashnet(Path.Combine(folder, Trashnet), rows),
        Shapes => OfShapes(Math.Min(rows ?? RowsOfShapes, RowsOfShapes)),
        _ => throw new UserException($"There is no set of images '{name}'; known are {string.Join(", ", Names)}."),
    };

    private static ImageSet OfDigits(string file, int? rows)
    {
        var input = new ImageInput(8, 8, 1);
        using var reader = new StreamReader(new GZipStream(Open(file), CompressionMode.Decompress));
        var all = new List<Example<ImagePixels>>();
        while (reader.ReadLine() is { } line)
        {
            float[] values = [.. line.Split(',').Select(value => float.Parse(value, CultureInfo.InvariantCulture))];
            all.Add(new Example<ImagePixels>(input.Encode(values.AsSpan(0, 64)), values[64]));
        }

        // every fifth for the test
        return new ImageSet(
            input,
            10,
            Thin([.. all.Where((_, i) => i % 5 != 4)], rows),
            Thin([.. all.Where((_, i) => i % 5 == 4)], rows),
            new AugmentationConfig { EraseRate = 0 });
    }

    private static ImageSet OfFashion(string folder, int? rows) => new(
        new ImageInput(28, 28, 1),
        10,
        Thin(Idx(folder, "train"), rows),
        Thin(Idx(folder, "t10k"), rows),
        new AugmentationConfig { HorizontalFlip = true, MaxShift = 0.04f, MaxZoom = 0, MaxRotation = 0, EraseRate = 0 });

    private static ImageSet OfTrashnet(string folder, int? rows)
    {
        var input = new ImageInput(64, 64, 3);
        var classes = new Dictionary<string, int>(StringComparer.Ordinal);
        return new ImageSet(
            input,
            6,
            Thin(Table(Path.Combine(folder, "train.tsv")), rows),
            Thin(Table(Path.Combine(folder, "test.tsv")), rows),
            new AugmentationConfig { HorizontalFlip = true, Transposition = true, MaxRotation = 25, MaxZoom = 0.2f, ColourJitter = 0.3f });

        List<Example<ImagePixels>> Table(string file)
        {
            using var stream = new StreamReader(Open(file));
            var table = new List<Example<ImagePixels>>();
            for (var line = stream.ReadLine(); (line = stream.ReadLine()) is not null;)
            {
                var parts = line.Split('\t');
                classes.TryAdd(parts[0], classes.Count);
                using var bitmap = SKBitmap.Decode(Path.Combine(folder, parts[1]));
                byte[] pixels = [.. bitmap.Pixels.SelectMany(p => new[] { p.Red, p.Green, p.Blue })];
                table.Add(new Example<ImagePixels>(input.Encode(pixels, bitmap.Width, bitmap.Height), classes[parts[0]]));
            }

            return table;
        }
    }

    /// <summary>Shapes on textures, half of them for the test.</summary>
    private static ImageSet OfShapes(int rows)
    {
        var input = new ImageInput(ShapesOnTextures.Side, ShapesOnTextures.Side, 3);
        var all = Enumerable.Range(0, 2 * rows).Select(number => ShapesOnTextures.Create(number)).ToList();
        List<Example<ImagePixels>> examples =
            [.. all.Select(image => new Example<ImagePixels>(input.Encode(image.Pixels, input.Width, input.Height), image.Shape))];
        return new ImageSet(input, ShapesOnTextures.Shapes, examples[..rows], examples[rows..], new AugmentationConfig { EraseRate = 0 })
        {
            Masks = [.. all.Skip(rows).Select(image => image.Mask)],
        };
    }

    /// <summary>Images and labels in the form of MNIST.</summary>
    private static List<Example<ImagePixels>> Idx(string folder, string which)
    {
        var images = Bytes(Path.Combine(folder, which + "-images-idx3-ubyte.gz"));
        var labels = Bytes(Path.Combine(folder, which + "-labels-idx1-ubyte.gz"));
        var input = new ImageInput(28, 28, 1);
        var count = BinaryPrimitives.ReadInt32BigEndian(labels.AsSpan(4));
        return [.. Enumerable.Range(0, count).Select(i => new Example<ImagePixels>(
            input.Encode(images.AsSpan(16 + i * input.Length, input.Length), 28, 28), labels[8 + i]))];
    }

    private static byte[] Bytes(string file)
    {
        using var packed = new GZipStream(Open(file), CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        packed.CopyTo(bytes);
        return bytes.ToArray();
    }

    private static FileStream Open(string file) => File.Exists(file)
        ? File.OpenRead(file)
        : throw new UserException($"There is no file '{file}'; --data names the folder with the data sets.");

    private static List<T> Thin<T>(List<T> all, int? rows) => rows is { } most ? [.. EvenSample.Of(all, most)] : all;
}
