using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Images;

/// <summary>
/// Packs batches one after the other into the same memory, so that each is good until the next is packed. For one thread.
/// </summary>
/// <param name="grid">The patches.</param>
/// <param name="scale">Of the channels.</param>
/// <param name="augmentation">Changes images while training; null where there is no training.</param>
/// <param name="keepsLayouts">Whether a batch's layout stays as it is: for policies and observers of whom it is not known what they keep.</param>
internal sealed class ImageBatchPacker(PatchGrid grid, ChannelScale scale, ImageAugmentation? augmentation, bool keepsLayouts = false)
{
    private readonly SequenceLayout _layout = new();
    private readonly float[] _pixels = new float[grid.Input.Length];
    private float[] _patches = [];
    private int[] _positions = [];
    private int[] _lengths = [];

    /// <summary>Packs images.</summary>
    /// <param name="rows">The images.</param>
    /// <param name="random">Source of chance for training; null leaves the images as they are.</param>
    public ImageBatch Pack(IReadOnlyList<ImagePixels> rows, Random? random)
    {
        var perImage = grid.Patches * grid.Values;
        if (_positions.Length < rows.Count * grid.Patches)
        {
            _patches = new float[rows.Count * perImage];
            _positions = new int[rows.Count * grid.Patches];
            for (var i = 0; i < _positions.Length; i++)
                _positions[i] = i % grid.Patches;
            _lengths = [.. Enumerable.Repeat(grid.Patches, rows.Count)];
        }

        for (var i = 0; i < rows.Count; i++)
        {
            scale.CopyTo(rows[i], _pixels);
            if (random is not null)
                augmentation?.Apply(_pixels, random);
            grid.Cut(_pixels, _patches.AsSpan(i * perImage, perImage));
        }

        var layout = keepsLayouts ? new SequenceLayout() : _layout;
        layout.Become(_lengths.AsSpan(0, rows.Count), padded: 0);
        return new ImageBatch(
            layout, _patches.AsMemory(0, rows.Count * perImage), _positions.AsMemory(0, rows.Count * grid.Patches));
    }
}
