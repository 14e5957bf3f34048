using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.Moe.Rows;

/// <summary>What a column of images holds: encoded files, images that ML.NET has decoded, or pixels.</summary>
internal static class ImageColumn
{
    private const string Wanted =
        "images (MLImage, as LoadImages and ResizeImages give them), a vector of bytes (a PNG, JPEG, WebP, GIF or BMP file, as "
        + "LoadRawImageBytes gives it) or a vector of numbers of known size (pixels, as ExtractPixels gives them with "
        + "interleavePixelColors: true)";

    /// <summary>Width and height that images of any size are resized to where nothing is said.</summary>
    private const int DefaultSide = 64;

    /// <summary>Finds the column.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or of the wrong type.</exception>
    public static DataViewSchema.Column Find(NamedSchema schema, string name)
    {
        var column = InputColumns.Find(schema, name, "image");
        return IsResized(column) || (column.Type is VectorDataViewType { IsKnownSize: true } && (HasItems<float>(column) || HasItems<byte>(column)))
            ? column
            : throw InputColumns.WrongType(name, "image", column.Type, Wanted, schema.Table);
    }

    /// <summary>Checks the column that a schema promises.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or of the wrong type.</exception>
    public static void Check(NamedShape schema, string name)
    {
        var column = InputColumns.Find(schema, name, "image");
        var isPossible = !column.IsKey && column.Kind switch
        {
            SchemaShape.Column.VectorKind.Scalar => column.ItemType is ImageDataViewType,
            SchemaShape.Column.VectorKind.Vector => column.ItemType.RawType == typeof(byte) || column.ItemType.RawType == typeof(float),
            _ => column.ItemType.RawType == typeof(byte),
        };
        if (!isPossible)
            throw InputColumns.WrongType(name, "image", InputColumns.TypeOf(column), Wanted, schema.Table);
    }

    /// <summary>Whether the column holds files.</summary>
    public static bool IsEncoded(DataViewSchema.Column column) =>
        column.Type is VectorDataViewType { Dimensions.Length: 1 } && HasItems<byte>(column);

    /// <summary>Whether the column holds images that ML.NET has decoded.</summary>
    public static bool IsDecoded(DataViewSchema.Column column) => column.Type is ImageDataViewType;

    /// <summary>Whether the column's images may be of any size, as they are resized to the model's.</summary>
    public static bool IsResized(DataViewSchema.Column column) => IsEncoded(column) || IsDecoded(column);

    /// <summary>Whether the column holds pixels that are bytes.</summary>
    public static bool HasBytes(DataViewSchema.Column column) => HasItems<byte>(column);

    /// <summary>The images that a model reads from the column.</summary>
    /// <param name="column">From <see cref="Find"/>.</param>
    /// <param name="width">What was asked for; null leaves it open.</param>
    /// <param name="height">What was asked for; null leaves it open.</param>
    /// <param name="channels">What was asked for; null leaves it open.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size of the vector contradicts it, or does not tell enough.</exception>
    public static ImageInput InputOf(DataViewSchema.Column column, int? width, int? height, int? channels)
    {
        if (IsResized(column))
        {
            if (channels is not (null or 1 or 3))
                throw Wrong(column, $"holds images, which have 1 (grey) or 3 channels, not {channels}");
            if ((width, height) is (null, null)
                && column.Type is ImageDataViewType { Width: > 0 and <= ImageInput.MaximumSide, Height: > 0 and <= ImageInput.MaximumSide } fixedSize)
                (width, height) = (fixedSize.Width, fixedSize.Height);
            return new ImageInput(width ?? height ?? DefaultSide, height ?? width ?? DefaultSide, channels ?? 3);
        }

        var vector = (VectorDataViewType)column.Type;
        if (vector.Dimensions is [var h, var w, var c])
        {
            if (c > ImageInput.MaximumChannels)
                throw Wrong(
                    column,
                    $"is of {vector.Dimensions[0]} planes; the channels of a pixel must stand together: "
                    + "ExtractPixels with interleavePixelColors: true");
            (width, height, channels) = (width ?? w, height ?? h, channels ?? c);
        }

        var input = Guess(vector.Size, width, height, channels);
        return input is { Length: var length } && length == vector.Size
            ? input
            : throw Wrong(
                column,
                $"has {vector.Size} numbers, which do not make an image of {Said(width)} × {Said(height)} pixels of {Said(channels)} channels; "
                + $"set {nameof(MoeImageClassificationTrainer.Options.ImageWidth)}, {nameof(MoeImageClassificationTrainer.Options.ImageHeight)} "
                + $"and {nameof(MoeImageClassificationTrainer.Options.Channels)}");
    }

    /// <summary>Fills in what is not said: a square, grey if that fits, else in colours.</summary>
    private static ImageInput? Guess(int size, int? width, int? height, int? channels)
    {
        foreach (var c in channels is { } said ? [said] : new[] { 1, 3 })
        {
            if (size % c != 0)
                continue;
            var pixels = size / c;
            var side = (int)Math.Round(Math.Sqrt(pixels));
            var w = width ?? (height is { } h ? pixels / h : side);
            var input = (Width: w, Height: height ?? (w > 0 ? pixels / w : 0));
            if ((long)input.Width * input.Height == pixels && input is { Width: <= ImageInput.MaximumSide, Height: <= ImageInput.MaximumSide })
                return new ImageInput(input.Width, input.Height, c);
        }

        return null;
    }

    private static bool HasItems<T>(DataViewSchema.Column column) =>
        column.Type is VectorDataViewType { ItemType: NumberDataViewType { RawType: var raw } } && raw == typeof(T);

    private static string Said(int? value) => value?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "?";

    private static ArgumentOutOfRangeException Wrong(DataViewSchema.Column column, string problem) =>
        new($"The image column '{column.Name}' {problem}.", innerException: null);
}
