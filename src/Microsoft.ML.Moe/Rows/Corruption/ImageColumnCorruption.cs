using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using SkiaSharp;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Makes what corrupts a column of images.</summary>
internal static class ImageColumnCorruption
{
    private const int Colours = 3;

    /// <summary>Corrupts images.</summary>
    /// <param name="corruption">How.</param>
    /// <param name="column">The column, from <see cref="ImageColumn.Find"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">It holds decoded images, or its size makes no image.</exception>
    public static ColumnCorruption Of(ImageCorruption corruption, DataViewSchema.Column column)
    {
        var corrupter = new ImageCorrupter(corruption);
        if (ImageColumn.IsDecoded(column))
        {
            throw InputColumns.WrongType(
                column.Name, "image", column.Type, "files (LoadRawImageBytes) or pixels (ExtractPixels with interleavePixelColors: true)");
        }

        if (ImageColumn.IsEncoded(column))
            return new ColumnCorruption<VBuffer<byte>>(new FileCorrupter(corrupter, column.Name).Corrupt);
        var size = ImageColumn.InputOf(column, null, null, null);
        return ImageColumn.HasBytes(column)
            ? Pixels<byte>(corrupter, size, value => value, value => value)
            : Pixels<float>(corrupter, size, value => (byte)MathF.Round(Math.Clamp(value, 0f, 255f)), value => value);
    }

    private static ColumnCorruption<VBuffer<T>> Pixels<T>(ImageCorrupter corrupter, ImageInput size, Func<T, byte> toByte, Func<byte, T> ofByte)
        where T : struct, IEquatable<T> => new((VBuffer<T> image, long row, out bool isChanged) =>
    {
        var values = image.DenseValues().ToArray();
        // ML.NET's own vectors of known size may be empty where an image is missing
        isChanged = values.Length == size.Length;
        if (!isChanged)
            return image;
        var spoiled = Array.ConvertAll(
            corrupter.Corrupt(Array.ConvertAll(values, value => toByte(value)), size.Width, size.Height, size.Channels, row), value => ofByte(value));
        isChanged = !values.AsSpan().SequenceEqual(spoiled);
        return new VBuffer<T>(spoiled.Length, spoiled);
    });

    /// <summary>Corrupts files.</summary>
    private sealed class FileCorrupter(ImageCorrupter corrupter, string columnName)
    {
        public VBuffer<byte> Corrupt(VBuffer<byte> file, long row, out bool isChanged)
        {
            isChanged = file.Length > 0;
            if (!isChanged)
                return file;
            try
            {
                var (pixels, width, height) = ImageDecoding.DecodeColours(file.DenseValues().ToArray());
                var png = Encode(corrupter.Corrupt(pixels, width, height, Colours, row), width, height);
                return new VBuffer<byte>(png.Length, png);
            }
            catch (Exception e) when (e is InvalidDataException or ArgumentException)
            {
                throw new InvalidOperationException($"An image in column '{columnName}' cannot be corrupted: {e.Message}.", e);
            }
        }

        private static byte[] Encode(byte[] pixels, int width, int height) => NativeSkia.Run(() =>
        {
            using var bitmap = new SKBitmap(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque);
            bitmap.Pixels = [.. Enumerable.Range(0, width * height).Select(i => new SKColor(pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]))];
            using var map = bitmap.PeekPixels();
            using var data = map.Encode(SKEncodedImageFormat.Png, 100);
            return data.ToArray();
        });
    }
}
