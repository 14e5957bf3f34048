using System.Buffers.Binary;

namespace Microsoft.ML.Moe.Tests.ImageClassification;

/// <summary>Small made-up images that a tiny model learns: a bar lies, stands, or there is none.</summary>
internal static class ImageTables
{
    public static readonly string[] Classes = ["lying", "standing", "none"];

    /// <summary>Rows of all classes in turn.</summary>
    public static List<ImageRow> Rows(int count = 150, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i => Row(random, i))];
    }

    /// <summary>A grey image as an uncompressed BMP file of 24 bits a pixel.</summary>
    public static byte[] Bitmap(int width, int height, Func<int, int, byte> pixel)
    {
        const int header = 54;
        var stride = (3 * width + 3) / 4 * 4;
        var file = new byte[header + stride * height];
        "BM"u8.CopyTo(file);
        Write(2, file.Length);
        Write(10, header);
        Write(14, 40);
        Write(18, width);
        Write(22, height);
        Write(26, 1 | (24 << 16)); // planes, bits
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                file.AsSpan(header + (height - 1 - y) * stride + 3 * x, 3).Fill(pixel(x, y));
        return file;

        void Write(int at, int value) => BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
    }

    private static ImageRow Row(Random random, int id)
    {
        const int side = ImageRow.Side;
        var pixels = new byte[side * side];
        foreach (ref var pixel in pixels.AsSpan())
            pixel = (byte)random.Next(60);
        var place = random.Next(side);
        for (var i = 0; i < side && id % 3 < 2; i++)
            pixels[id % 3 == 0 ? place * side + i : i * side + place] += 180;
        return new ImageRow
        {
            Id = id,
            Label = Classes[id % 3],
            Features = [.. pixels.Select(p => (float)p)],
            Image = Bitmap(side, side, (x, y) => pixels[y * side + x]),
        };
    }
}
