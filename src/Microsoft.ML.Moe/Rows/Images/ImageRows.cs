using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Rows of images. They are decoded and resized soon after they were read, so that few files are kept in memory.</summary>
/// <param name="name">Name of the image column.</param>
/// <param name="input">What images are turned into.</param>
/// <param name="badImages">What is done about those that cannot be used.</param>
internal sealed class ImageRows(string name, ImageInput input, BadImageHandling badImages) : RowSource<ImagePixels>
{
    private readonly ImageDecoding _decoding = new(input);

    /// <inheritdoc/>
    public override DataViewSchema.Column[] Find(NamedSchema schema)
    {
        var column = ImageColumn.Find(schema, name);
        if (ImageColumn.IsResized(column) ? input.Channels is 1 or 3 : ((VectorDataViewType)column.Type).Size == input.Length)
            return [column];
        throw InputColumns.WrongType(
            name, "image", column.Type, $"{input.Width} × {input.Height} pixels of {input.Channels} channels, as the model was trained with", schema.Table);
    }

    /// <inheritdoc/>
    public override bool ReadsInOrder => true;

    /// <inheritdoc/>
    public override RowReader<ImagePixels> CreateReader(DataViewRow row, DataViewSchema.Column[] columns) => columns[0] switch
    {
        var column when ImageColumn.IsEncoded(column) => CreateFileReader(row, column),
        var column when ImageColumn.IsDecoded(column) => CreateImageReader(row, column),
        var column when ImageColumn.HasBytes(column) => CreatePixelReader<byte>(row, column, input.EncodeAsItIs),
        var column => CreatePixelReader<float>(row, column, pixels => input.Encode(pixels)),
    };

    /// <inheritdoc/>
    public override void CheckInformation(IReadOnlyList<ImagePixels> rows, TableName table, bool isLearned)
    {
        if (isLearned && AreSame(rows, (one, other) => one.Raw.SequenceEqual(other.Raw)))
            throw new InvalidOperationException(
                $"All {rows.Count} images in column '{name}' of the {table.Text} are the same: no label can be told from them; are the paths right?");
    }

    private RowReader<ImagePixels> CreateFileReader(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<VBuffer<byte>>(column);
        VBuffer<byte> file = default;
        return (out long size) =>
        {
            var number = NumberOf(row);
            var bytes = Readable(number, () =>
            {
                Get(() => getter(ref file));
                ImageDecoding.CheckLength(file.Length);
                return CopyOf(file);
            });
            size = bytes.Length;
            return () => Readable(number, () => _decoding.Decode(bytes));
        };
    }

    /// <summary>
    /// Reads images that belong to whoever made them: none is disposed here, and none is touched once the next row may have been read.
    /// </summary>
    private RowReader<ImagePixels> CreateImageReader(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<MLImage?>(column);

        // LoadImages disposes the image that it gave before and finds here again. So does ResizeImages, whose type is of a fixed size, but
        // that passes images on which have the size already, and these may be the caller's own.
        var givesBack = ((ImageDataViewType)column.Type).Width == 0;
        MLImage? last = null;
        return (out long size) =>
        {
            var (pixels, width, height, redFirst) = Readable(NumberOf(row), () =>
            {
                var image = givesBack ? last : null;
                Get(() => getter(ref image));
                last = image;
                return CopyOf(image);
            });
            size = pixels.Length;
            return () => new BgraImage(pixels, width, height, redFirst: redFirst).Encode(input);
        };
    }

    private RowReader<ImagePixels> CreatePixelReader<T>(DataViewRow row, DataViewSchema.Column column, Func<T[], ImagePixels> encode)
    {
        var getter = row.GetGetter<VBuffer<T>>(column);
        VBuffer<T> vector = default;
        return (out long size) =>
        {
            getter(ref vector);
            var (pixels, number) = (CopyOf(vector), NumberOf(row));
            size = Buffer.ByteLength(pixels);
            return () => Readable(number, () => encode(pixels));
        };
    }

    private static T[] CopyOf<T>(in VBuffer<T> vector)
    {
        var values = new T[vector.Length];
        vector.CopyTo(values);
        return values;
    }

    private static (byte[] Pixels, int Width, int Height, bool RedFirst) CopyOf(MLImage? image)
    {
        if (image is null)
            throw new InvalidDataException("it is missing");
        try
        {
            ImageDecoding.CheckSize(image.Width, image.Height);
            return (image.Pixels.ToArray(), image.Width, image.Height, image.PixelFormat == MLPixelFormat.Rgba32);
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidDataException("it was disposed", e);
        }
    }

    /// <summary>Number of the current row, from 1; null where there is only one row, as in a prediction engine.</summary>
    private static long? NumberOf(DataViewRow row) => row is DataViewRowCursor ? row.Position + 1 : null;

    private T Readable<T>(long? row, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException or IOException)
        {
            throw new BadRowException(row, name, ReasonOf(e), badImages == BadImageHandling.Skip, e);
        }
    }

    /// <summary>Has the table make the image, which for one that a step before loads from a file may fail.</summary>
    private static void Get(Action get)
    {
        try
        {
            get();
        }
        catch (Exception e) when (e is InvalidOperationException or UnauthorizedAccessException or FormatException)
        {
            throw new InvalidDataException(e.Message, e);
        }
    }

    /// <summary>What an exception says, without the name of a parameter that the caller never saw.</summary>
    private static string ReasonOf(Exception e)
    {
        var reason = e.Message;
        if (e is ArgumentException { ParamName: { } parameter })
            reason = reason.Replace($" (Parameter '{parameter}')", "", StringComparison.Ordinal);
        return reason.TrimEnd('.');
    }
}
