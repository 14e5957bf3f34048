using System.Runtime.InteropServices;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Tests.ImageClassification;
using SkiaSharp;

namespace Microsoft.ML.Moe.Tests.Fuzzing;

/// <summary>Image files of all kinds.</summary>
internal sealed class ImageTarget : FuzzTarget
{
    private readonly ImageDecoding _decoding = new(new ImageInput(8, 8, 3));

    public override string Name => "image";

    // by the pixels that a file may claim, not by its length: four bytes of a pixel as decoded and three as read, rounded up by the pool
    public override long MostAllocated(long length) => (16L << 20) + 9L * ImageDecoding.MaximumPixels;

    public override void Read(FuzzInput input) => _decoding.Decode(input.Single);

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        foreach (var (format, name) in new[] { (SKEncodedImageFormat.Png, "a.png"), (SKEncodedImageFormat.Jpeg, "a.jpg"),
            (SKEncodedImageFormat.Webp, "a.webp") })
            yield return Of(name, ImageFiles.Encode(format, 13, 9));
        yield return Of("a.png", ImageFiles.Png(4, 4, 8, 6, [.. Enumerable.Range(0, 4).SelectMany(_ => (byte[])[0, .. new byte[16]])],
            chunks: ImageFiles.PngChunk("tEXt"u8, [.. "a\0b"u8])));
        yield return Of("a.png", ImageFiles.Png(5, 3, 16, 2, [.. Enumerable.Range(0, 3).SelectMany(_ => (byte[])[1, .. new byte[30]])]));
        yield return Of("a.jpg", ImageFiles.Jpeg(32, 16, 3));
        yield return Of("a.jpg", ImageFiles.Jpeg(16, 16, 1, emptyScans: 3));
        yield return Of("a.jpg", ImageFiles.Oriented(ImageFiles.Encode(SKEncodedImageFormat.Jpeg, 9, 5), 8));
        yield return Of("a.gif", ImageFiles.Gif(7, 5, 2));
        yield return Of("a.webp", ImageFiles.AnimatedWebp(6, 4, 2));
        yield return Of("a.bmp", ImageFiles.GreyBmp(4, 4, 0, new byte[16]));

        static FuzzInput Of(string name, byte[] bytes) => new(new FuzzFile(name, bytes));
    }
}

/// <summary>Rows of a table: texts, vectors of features and pixels, each of any bits, scored by models.</summary>
internal sealed class RowsTarget : FuzzTarget
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly Lazy<PredictionEngine<TinyRow, Scores>> _text;
    private readonly Lazy<PredictionEngine<TinyRow, Number>> _features;
    private readonly Lazy<PredictionEngine<TinyRow, Scores>> _pixels;

    public RowsTarget()
    {
        _text = new(() => _ml.Model.CreatePredictionEngine<TinyRow, Scores>(TinyModels.Text(_ml)));
        _features = new(() => _ml.Model.CreatePredictionEngine<TinyRow, Number>(TinyModels.Number(_ml)));
        _pixels = new(() => _ml.Model.CreatePredictionEngine<TinyRow, Scores>(TinyModels.Image(_ml)));
    }

    public override string Name => "rows";

    /// <summary>The message names the column.</summary>
    public override bool IsDocumented(Exception exception) => exception is InvalidOperationException
        && exception.Message.Contains("column 'Vector'", StringComparison.Ordinal);

    public override void Read(FuzzInput input)
    {
        var content = input.Single;
        float[] scores = input.Files[0].Name switch
        {
            "text" => _text.Value.Predict(new TinyRow { Text = MemoryMarshal.Cast<byte, char>(content).ToString() }).Score,
            "features" => [_features.Value.Predict(new TinyRow { Vector = Vector(content) }).Score],
            _ => _pixels.Value.Predict(new TinyRow { Vector = Vector(content) }).Score,
        };
        if (scores.Length == 0 || !scores.All(float.IsFinite))
            throw new InvalidDataException($"The scores are {string.Join(", ", scores)}.");
    }

    public override void Dispose()
    {
        foreach (var engine in new[] { _text, _pixels })
            if (engine.IsValueCreated)
                engine.Value.Dispose();
        if (_features.IsValueCreated)
            _features.Value.Dispose();
        base.Dispose();
    }

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        yield return new FuzzInput(new FuzzFile("text", MemoryMarshal.AsBytes("a b  Über, 日本語 𝒜!\n".AsSpan()).ToArray()));
        foreach (var kind in new[] { "features", "pixels" })
        {
            float[] values = [.. Enumerable.Range(0, TinyModels.Slots).Select(i => i / 16f)];
            yield return new FuzzInput(new FuzzFile(kind, MemoryMarshal.AsBytes(values.AsSpan()).ToArray()));
        }
    }

    private static float[] Vector(byte[] content)
    {
        var vector = new float[TinyModels.Slots];
        content.AsSpan(0, Math.Min(content.Length, vector.Length * sizeof(float))).CopyTo(MemoryMarshal.AsBytes(vector.AsSpan()));
        return vector;
    }

    private sealed class Scores
    {
        public float[] Score { get; set; } = [];
    }

    private sealed class Number
    {
        public float Score { get; set; }
    }
}
