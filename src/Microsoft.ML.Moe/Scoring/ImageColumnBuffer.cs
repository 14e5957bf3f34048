using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>
/// Buffer of a column of images of a fixed size. It holds copies: ResizeImages passes on images that have the size already, and disposes
/// them when it comes to the next row.
/// </summary>
internal sealed class ImageColumnBuffer(DataViewRow input, DataViewSchema.Column column, int rows) : ColumnBuffer
{
    private readonly ValueGetter<MLImage?> _getter = input.GetGetter<MLImage?>(column);
    private readonly MLImage?[] _values = new MLImage?[rows];

    public override void Read(int row)
    {
        MLImage? image = null;
        _getter(ref image);
        _values[row] = image is null ? null : MLImage.CreateFromPixels(image.Width, image.Height, image.PixelFormat, image.Pixels);
        if (_values[row] is { } copy)
            copy.Tag = image!.Tag;
    }

    public override Delegate CreateGetter(Func<int> current) => (ValueGetter<MLImage?>)((ref MLImage? value) => value = _values[current()]);
}
