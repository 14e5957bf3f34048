using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;

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
        if (ImageColumn.IsEncoded(column) ? input.Channels is 1 or 3 : ((VectorDataViewType)column.Type).Size == input.Length)
            return [column];
        throw InputColumns.WrongType(
            name, "image", column.Type, $"{input.Width} × {input.Height} pixels of {input.Channels} channels, as the model was trained with");
    }

    /// <inheritdoc/>
    public override RowReader<ImagePixels> CreateReader(DataViewRow row, DataViewSchema.Column[] columns) =>
        ImageColumn.IsEncoded(columns[0]) ? CreateFileReader(row, columns[0]) : CreatePixelReader(row, columns[0]);

    private RowReader<ImagePixels> CreateFileReader(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<VBuffer<byte>>(column);
        VBuffer<byte> file = default;
        return (out long size) =>
        {
            getter(ref file);
            size = file.Length;
            var position = row.Position;
            var bytes = Readable(position, () =>
            {
                ImageDecoding.CheckLength(file.Length);
                return CopyOf(file);
            });
            return () => Readable(position, () => _decoding.Decode(bytes));
        };
    }

    private RowReader<ImagePixels> CreatePixelReader(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<VBuffer<float>>(column);
        VBuffer<float> vector = default;
        return (out long size) =>
        {
            getter(ref vector);
            size = sizeof(float) * (long)vector.Length;
            var (pixels, position) = (CopyOf(vector), row.Position);
            return () => Readable(position, () => input.Encode(pixels));
        };
    }

    private static T[] CopyOf<T>(in VBuffer<T> vector)
    {
        var values = new T[vector.Length];
        vector.CopyTo(values);
        return values;
    }

    private T Readable<T>(long position, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException)
        {
            throw new InvalidOperationException($"The image of row {position + 1} in column '{name}' cannot be used: {e.Message}.", e);
        }
    }
}
