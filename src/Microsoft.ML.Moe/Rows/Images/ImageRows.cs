using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Rows of images. They are decoded and resized soon after they were read, so that few files are kept in memory.</summary>
/// <param name="name">Name of the image column.</param>
/// <param name="input">What images are turned into.</param>
internal sealed class ImageRows(string name, ImageInput input) : RowSource<ImagePixels>
{
    private readonly ImageDecoding _decoding = new(input);

    /// <inheritdoc/>
    public override DataViewSchema.Column[] Find(DataViewSchema schema)
    {
        var column = ImageColumn.Find(schema, name);
        if (ImageColumn.IsResized(column) ? input.Channels is 1 or 3 : ((VectorDataViewType)column.Type).Size == input.Length)
            return [column];
        throw InputColumns.WrongType(
            name, "image", column.Type, $"{input.Width} × {input.Height} pixels of {input.Channels} channels, as the model was trained with");
    }

    /// <inheritdoc/>
    public override RowReader<ImagePixels> CreateReader(DataViewRow row, DataViewSchema.Column[] columns) => columns[0] switch
    {
        var column when ImageColumn.IsEncoded(column) => CreateFileReader(row, column),
        var column when ImageColumn.IsDecoded(column) => CreateImageReader(row, column),
        var column when ImageColumn.HasBytes(column) => CreatePixelReader<byte>(row, column, input.EncodeAsItIs),
        var column => CreatePixelReader<float>(row, column, pixels => input.Encode(pixels)),
    };

    private RowReader<ImagePixels> CreateFileReader(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<VBuffer<byte>>(column);
        VBuffer<byte> file = default;
        return (out long size) =>
        {
            getter(ref file);
            size = file.Length;
            var number = NumberOf(row);
            var bytes = Readable(number, () =>
            {
                ImageDecoding.CheckLength(file.Length);
                return CopyOf(file);
            });
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
                getter(ref image);
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
            var which = row is { } number ? $" of row {number}" : "";
            throw new InvalidOperationException($"The image{which} in column '{name}' cannot be used: {ReasonOf(e)}.", e);
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
