using Microsoft.ML.Data;
using Microsoft.ML.Moe.Images;
using Microsoft.ML.Moe.Scoring;

namespace Microsoft.ML.Moe.ImageClassification;

/// <summary>Rows of images. They are decoded and resized as they are read, so that files are not kept in memory.</summary>
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
            try
            {
                ImageDecoding.CheckLength(file.Length);
                return _decoding.Decode([.. file.DenseValues()]);
            }
            catch (InvalidDataException e)
            {
                throw Unreadable(row, e);
            }
        };
    }

    private RowReader<ImagePixels> CreatePixelReader(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<VBuffer<float>>(column);
        VBuffer<float> vector = default;
        var pixels = new float[input.Length];
        return (out long size) =>
        {
            getter(ref vector);
            size = sizeof(float) * (long)vector.Length;
            try
            {
                vector.CopyTo(pixels);
                return input.Encode(pixels);
            }
            catch (ArgumentException e)
            {
                throw Unreadable(row, e);
            }
        };
    }

    private InvalidOperationException Unreadable(DataViewRow row, Exception e) =>
        new($"The image of row {row.Position + 1} in column '{name}' cannot be used: {e.Message}.", e);
}
