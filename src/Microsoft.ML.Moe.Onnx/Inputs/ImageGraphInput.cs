using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Tracing;
using DataType = Microsoft.ML.Moe.Onnx.Format.TensorProto.Types.DataType;

namespace Microsoft.ML.Moe.Onnx.Inputs;

/// <summary>
/// Images of the model's size: the graph reads the values of pixels as the model takes them, [B, height, width, channels], before their
/// channels are scaled, which it does itself; it cuts patches by indices, or single pixels for a stem of convolutions.
/// </summary>
internal sealed class ImageGraphInput : GraphInput
{
    /// <summary>Name of the input.</summary>
    public const string Name = "Pixels";

    private readonly GraphBuilder _graph;
    private readonly PatchInput _input;
    private readonly ImageBatch _batch;
    private readonly Value _pixels;

    public ImageGraphInput(GraphBuilder graph, PatchInput input, IReadOnlyCollection<int> sizes)
    {
        (_graph, _input) = (graph, input);
        var size = input.Images;
        _pixels = graph.Input(Name, DataType.Float, "rows", size.Height, size.Width, size.Channels);
        var tokens = input.SpecialTokens + input.Grid.Patches;
        var count = TracedRows.CountFor([.. sizes, tokens, input.Grid.Patches, input.Config.Cut.Patches]);
        var black = new ImagePixels(new byte[size.Length]);
        _batch = (ImageBatch)input.CreatePacker(default(Packing)).Pack([.. Enumerable.Repeat(black, count)]);
        Rows = new TracedRows { Count = count, Tokens = _batch.Layout, Runtime = graph.SizeOf(_pixels, 0) };
    }

    /// <inheritdoc/>
    public override TracedRows Rows { get; }

    /// <inheritdoc/>
    public override Batch Batch => _batch;

    /// <inheritdoc/>
    public override void BindTo(OnnxTape tape)
    {
        var (scale, grid) = (_input.Config.Scale, _input.Config.Cut);
        var pixels = scale.Factor == 1
            ? _pixels
            : _graph.Cast(_graph.Multiply(_graph.Cast(_pixels, DataType.Double), _graph.Double(scale.Factor)), DataType.Float);
        pixels = _graph.Divide(
            _graph.Subtract(pixels, _graph.Floats([.. scale.Means], scale.Means.Count)),
            _graph.Floats([.. scale.Deviations], scale.Deviations.Count));
        // a zero before the pixels: what patches have beyond the image, and special tokens
        var before = _graph.Zeros(_graph.Concat(0, Rows.Runtime, _graph.Vector(1)));
        var row = _graph.Concat(1, before, _graph.Reshape(pixels, -1, _input.Images.Length));
        long[] places = [.. Enumerable.Repeat(0L, _input.SpecialTokens * grid.Values), .. PlacesOfPatches(grid)];
        var patches = _graph.Gather(row, _graph.Integers(places, places.Length), axis: 1);
        tape.Bind(() => _batch.Cut, _graph.Reshape(patches, -1, grid.Values));
    }

    /// <summary>For each value of each patch the number of its pixel's value, from 1; 0 beyond the image.</summary>
    private static IEnumerable<long> PlacesOfPatches(PatchGrid grid)
    {
        var numbers = new float[grid.Input.Length];
        for (var i = 0; i < numbers.Length; i++)
            numbers[i] = i + 1;
        var patches = new float[grid.Patches * grid.Values];
        grid.Cut(numbers, patches);
        return patches.Select(number => (long)number);
    }
}
