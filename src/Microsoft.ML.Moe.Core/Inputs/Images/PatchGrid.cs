namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// How an image is divided into patches, one token each, row by row. A patch also sees a margin of its neighbours; beyond the image's
/// edge there is nothing, and that is 0.
/// </summary>
/// <param name="Input">The images.</param>
/// <param name="Size">Side of a patch in pixels, P.</param>
/// <param name="Margin">Pixels that a patch sees beyond itself on each side, M.</param>
internal sealed record PatchGrid(ImageInput Input, int Size, int Margin)
{
    /// <summary>Most patches that a model can have.</summary>
    public const int MaximumPatches = 4096;

    private const int MostPatches = 64;
    private const int SmallestSize = 2;

    /// <summary>
    /// Whether the values of a patch stand channel by channel, as the kernels of published convolutions do; else pixel by pixel. Default
    /// false.
    /// </summary>
    public bool ChannelsFirst { get; init; }

    /// <summary>Patches side by side.</summary>
    public int Columns { get; } = (Input.Width + Size - 1) / Size;

    /// <summary>Rows of patches.</summary>
    public int Rows { get; } = (Input.Height + Size - 1) / Size;

    /// <summary>Patches of an image.</summary>
    public int Patches => Columns * Rows;

    /// <summary>Side of what a patch sees, P + 2M.</summary>
    public int Window => Size + 2 * Margin;

    /// <summary>Values that a patch sees.</summary>
    public int Values => Window * Window * Input.Channels;

    /// <summary>The smallest size of patches, of 2 at least, with which an image has no more than 64.</summary>
    public static int SizeFor(ImageInput input)
    {
        var size = SmallestSize;
        while (new PatchGrid(input, size, 0).Patches > MostPatches)
            size++;
        return size;
    }

    /// <summary>What a patch reads as, for people.</summary>
    public string TextOf(int patch) => $"row {patch / Columns + 1}, column {patch % Columns + 1}";

    /// <summary>Which patches show an object.</summary>
    /// <param name="mask">Of each pixel whether it does.</param>
    /// <param name="share">Share of a patch's pixels from which it does, over 0.</param>
    public bool[] Showing(bool[] mask, double share)
    {
        var (inside, all) = (new int[Patches], new int[Patches]);
        for (var pixel = 0; pixel < mask.Length; pixel++)
        {
            var patch = pixel / Input.Width / Size * Columns + pixel % Input.Width / Size;
            all[patch]++;
            inside[patch] += mask[pixel] ? 1 : 0;
        }

        return [.. inside.Zip(all, (one, of) => one > 0 && one >= share * of)];
    }

    /// <summary>Cuts an image into its patches.</summary>
    /// <param name="pixels">The image.</param>
    /// <param name="patches">Receives <see cref="Patches"/> × <see cref="Values"/> values.</param>
    public void Cut(ReadOnlySpan<float> pixels, Span<float> patches)
    {
        if (Size == 1 && Margin == 0)
        {
            pixels.CopyTo(patches);
            return;
        }

        if (ChannelsFirst)
        {
            CutChannels(pixels, patches);
            return;
        }

        var rowValues = Window * Input.Channels;
        for (var patch = 0; patch < Patches; patch++)
        {
            var (left, top) = (patch % Columns * Size - Margin, patch / Columns * Size - Margin);
            var (first, last) = (Math.Max(0, left), Math.Min(Input.Width, left + Window));
            for (var y = 0; y < Window; y++)
            {
                var row = patches.Slice(patch * Values + y * rowValues, rowValues);
                row.Clear();
                if ((uint)(top + y) < (uint)Input.Height)
                    pixels.Slice(((top + y) * Input.Width + first) * Input.Channels, (last - first) * Input.Channels)
                        .CopyTo(row[((first - left) * Input.Channels)..]);
            }
        }
    }

    /// <summary>Gives back to an image what was made of its patches: each pixel the sum over the places where patches see it.</summary>
    /// <param name="patches"><see cref="Patches"/> × <see cref="Values"/> values.</param>
    /// <param name="pixels">Receives the image's.</param>
    public void Gather(ReadOnlySpan<float> patches, Span<float> pixels)
    {
        pixels.Clear();
        for (var i = 0; i < Patches * Values; i++)
            if (PixelOf(i) is >= 0 and var pixel)
                pixels[pixel] += patches[i];
    }

    private void CutChannels(ReadOnlySpan<float> pixels, Span<float> patches)
    {
        for (var i = 0; i < Patches * Values; i++)
            patches[i] = PixelOf(i) is >= 0 and var pixel ? pixels[pixel] : 0f;
    }

    /// <summary>Where in an image a value of its patches comes from; −1 beyond the edge.</summary>
    private int PixelOf(int value)
    {
        var (patch, place) = Math.DivRem(value, Values);
        var channel = ChannelsFirst ? place / (Window * Window) : place % Input.Channels;
        var inWindow = ChannelsFirst ? place % (Window * Window) : place / Input.Channels;
        var x = patch % Columns * Size - Margin + inWindow % Window;
        var y = patch / Columns * Size - Margin + inWindow / Window;
        return (uint)x < (uint)Input.Width && (uint)y < (uint)Input.Height ? (y * Input.Width + x) * Input.Channels + channel : -1;
    }
}
