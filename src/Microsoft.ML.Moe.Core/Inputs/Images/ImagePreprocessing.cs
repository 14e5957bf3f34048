using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Models.Published;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// What a published model's library does to an image before the model sees it, as its <c>preprocessor_config.json</c> says: resizes it,
/// cuts out the middle, and scales its values.
/// </summary>
internal sealed record ImagePreprocessing
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "preprocessor_config.json";

    /// <summary>Side from which on the processor of ConvNeXt cuts nothing out.</summary>
    private const int LeastUncropped = 384;

    /// <summary>Share of an image's side that it cuts out where the file does not tell.</summary>
    private const double UsualCrop = 224.0 / 256;

    /// <summary>Pixels in a row that images are resized to; null for none, or where <see cref="ShortestEdge"/> tells.</summary>
    public int? ResizeWidth { get; init => field = OptionCheck.Range(value, 1, ImageInput.MaximumSide, nameof(ResizeWidth)); }

    /// <summary>Rows of pixels that images are resized to; null as <see cref="ResizeWidth"/>.</summary>
    public int? ResizeHeight { get; init => field = OptionCheck.Range(value, 1, ImageInput.MaximumSide, nameof(ResizeHeight)); }

    /// <summary>Length that an image's shorter side is resized to, the other in proportion; null for none.</summary>
    public int? ShortestEdge { get; init => field = OptionCheck.Range(value, 1, ImageInput.MaximumSide, nameof(ShortestEdge)); }

    /// <summary>How new pixels are made.</summary>
    public ResizeFilter Filter { get; init => field = OptionCheck.Defined(value, nameof(Filter)); } = ResizeFilter.Bilinear;

    /// <summary>Pixels in a row of the middle that is cut out; null for the whole.</summary>
    public int? CropWidth { get; init => field = OptionCheck.Range(value, 1, ImageInput.MaximumSide, nameof(CropWidth)); }

    /// <summary>Rows of pixels of that middle.</summary>
    public int? CropHeight { get; init => field = OptionCheck.Range(value, 1, ImageInput.MaximumSide, nameof(CropHeight)); }

    /// <summary>What values within [0, 255] are multiplied by.</summary>
    public double Factor { get; init => field = OptionCheck.Range(value, 1e-9, 1e9, nameof(Factor)); } = 1.0 / 255;

    /// <summary>What is taken away then, of each channel.</summary>
    public required float[] Means { get; init; }

    /// <summary>What the rest is divided by, of each channel.</summary>
    public required float[] Deviations { get; init; }

    /// <summary>Pixels in a row of what comes out.</summary>
    [JsonIgnore]
    public int Width => CropWidth ?? ResizeWidth ?? throw NoSize();

    /// <summary>Rows of pixels of what comes out.</summary>
    [JsonIgnore]
    public int Height => CropHeight ?? ResizeHeight ?? throw NoSize();

    /// <summary>Scale of the channels.</summary>
    [JsonIgnore]
    public ChannelScale Scale => new(Means, Deviations) { Factor = Factor };

    /// <summary>Reads the file of a folder.</summary>
    /// <param name="folder">Path of the folder.</param>
    /// <param name="channels">Channels of the model's images.</param>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">It is damaged, or asks for something that is not done here; the message says
    /// what.</exception>
    public static ImagePreprocessing Read(string folder, int channels)
    {
        var json = PublishedFolder.ReadConfig(Path.Combine(folder, FileName));
        try
        {
            var read = Read(json, channels);
            read.Check(channels);
            return read;
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{json.File} holds an impossible value: {e.Message}", e);
        }
    }

    /// <summary>The same for images of another size: what is cut out, and what is resized to in proportion.</summary>
    /// <param name="width">Pixels in a row of what comes out.</param>
    /// <param name="height">Rows of pixels.</param>
    public ImagePreprocessing For(int width, int height)
    {
        if (CropWidth is null)
            return this with { ResizeWidth = width, ResizeHeight = height };
        var factor = Math.Max((double)width / Width, (double)height / Height);
        return this with
        {
            CropWidth = width,
            CropHeight = height,
            ResizeWidth = ResizeWidth is { } w ? (int)Math.Round(w * (double)width / Width) : null,
            ResizeHeight = ResizeHeight is { } h ? (int)Math.Round(h * (double)height / Height) : null,
            ShortestEdge = ShortestEdge is { } edge ? (int)Math.Round(edge * factor) : null,
        };
    }

    /// <summary>Checks that the values fit each other.</summary>
    /// <exception cref="ArgumentException">They do not; the message names them.</exception>
    public void Check(int channels)
    {
        if ((ResizeWidth is null) != (ResizeHeight is null) || (CropWidth is null) != (CropHeight is null))
            throw Wrong("there is a width without a height, or a height without a width");
        _ = (Width, Height);
        if (Means is null || Means.Length != channels || !Array.TrueForAll(Means, float.IsFinite))
            throw Wrong($"{nameof(Means)} are not those of {channels} channels");
        if (Deviations is null || Deviations.Length != channels || !Array.TrueForAll(Deviations, d => d > 0 && float.IsFinite(d)))
            throw Wrong($"{nameof(Deviations)} are not those of {channels} channels");
    }

    /// <summary>Resizes an image, and cuts out the middle.</summary>
    /// <param name="values">width × height × channels values, all channels of a pixel together.</param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows of pixels.</param>
    /// <param name="channels">Values of a pixel.</param>
    public byte[] Apply(ReadOnlySpan<byte> values, int width, int height, int channels)
    {
        var (newWidth, newHeight) = SizeOf(width, height);
        var resized = PilResizing.Resize(values, width, height, newWidth, newHeight, channels, Filter);
        return CropWidth is null ? resized : Middle(resized, newWidth, newHeight, channels);
    }

    private (int Width, int Height) SizeOf(int width, int height)
    {
        if (ShortestEdge is not { } edge)
            return (ResizeWidth ?? width, ResizeHeight ?? height);
        // a strip, however long, is resized to no more than can be held
        var (shorter, longer) = (Math.Min(width, height), Math.Max(width, height));
        var other = (int)Math.Min((long)edge * longer / shorter, ImageInput.MaximumSide * 64L);
        return width <= height ? (edge, other) : (other, edge);
    }

    /// <summary>The middle; a smaller image has nothing, 0, around it.</summary>
    private byte[] Middle(byte[] values, int width, int height, int channels)
    {
        var result = new byte[Width * Height * channels];
        var (left, top) = (Half(width - Width), Half(height - Height));
        var (first, end) = (Math.Max(0, -left), Math.Min(Width, width - left));
        for (var y = 0; y < Height; y++)
        {
            if ((uint)(y + top) < (uint)height)
                values.AsSpan(((y + top) * width + first + left) * channels, (end - first) * channels)
                    .CopyTo(result.AsSpan((y * Width + first) * channels));
        }

        return result;
    }

    /// <summary>Half of a difference, rounded down.</summary>
    private static int Half(int difference) => difference >> 1;

    /// <summary>Whether the file is of the processor that Hugging Face's ResNets have in common with ConvNeXt.</summary>
    private static bool IsConvNext(PublishedSettings json) =>
        (json.Text("image_processor_type", "") + json.Text("feature_extractor_type", "")).StartsWith("ConvNext", StringComparison.Ordinal);

    private static ImagePreprocessing Read(PublishedSettings json, int channels)
    {
        var preprocessing = new ImagePreprocessing
        {
            Factor = json.Flag("do_rescale", absent: true) ? json.Double("rescale_factor", 1.0 / 255) : 1,
            Means = json.Flag("do_normalize", absent: true) ? Channels(json, "image_mean", 0.5f, channels) : new float[channels],
            Deviations = json.Flag("do_normalize", absent: true)
                ? Channels(json, "image_std", 0.5f, channels)
                : [.. Enumerable.Repeat(1f, channels)],
        };
        if (json.Flag("do_resize", absent: true))
        {
            var (width, height, edge) = Size(json, "size");
            if (edge is not null && IsConvNext(json))
                (width, height, edge) = (edge, edge, null);
            preprocessing = preprocessing with
            {
                ResizeWidth = width,
                ResizeHeight = height,
                ShortestEdge = edge,
                Filter = json.Int("resample", 2) switch
                {
                    2 => ResizeFilter.Bilinear,
                    3 => ResizeFilter.Bicubic,
                    var other => throw json.Refused($"resample {other} is not supported: only 2 (bilinear) and 3 (bicubic) are"),
                },
            };
        }

        if (preprocessing.ResizeWidth is { } side && IsConvNext(json) && side < LeastUncropped)
        {
            // resized to a little more, of which the middle is cut out
            return preprocessing with
            {
                ResizeWidth = null,
                ResizeHeight = null,
                ShortestEdge = (int)(side / json.Double("crop_pct", UsualCrop)),
                CropWidth = side,
                CropHeight = side,
            };
        }

        if (!json.Flag("do_center_crop"))
            return preprocessing.ResizeWidth is not null ? preprocessing : throw json.Refused(
                "it resizes images to no fixed size and cuts nothing out of them, so that they have none");
        var (cropWidth, cropHeight, square) = Size(json, "crop_size");
        return preprocessing with { CropWidth = cropWidth ?? square, CropHeight = cropHeight ?? square };
    }

    /// <summary>
    /// A size as an object of height and width, an object of the shortest edge, or, in old files, one number for both sides.
    /// </summary>
    private static (int? Width, int? Height, int? ShortestEdge) Size(PublishedSettings json, string name)
    {
        if (json.IsNumber(name))
            return (json.Int(name), json.Int(name), null);
        var size = json.Part(name);
        if (size.Int("shortest_edge") is { } edge)
            return (null, null, edge);
        return size.Int("width") is { } width && size.Int("height") is { } height
            ? (width, height, null)
            : throw json.Refused($"{name} has neither width and height nor shortest_edge");
    }

    private static float[] Channels(PublishedSettings json, string name, float absent, int channels) => json.Doubles(name) is { Count: > 0 } given
        ? [.. given.Select(value => (float)value)]
        : [.. Enumerable.Repeat(absent, channels)];

    private static ArgumentException NoSize() => Wrong("images are brought to no fixed size");

    private static ArgumentException Wrong(string why) => new($"Images cannot be brought to a size and scale: {why}.");
}
