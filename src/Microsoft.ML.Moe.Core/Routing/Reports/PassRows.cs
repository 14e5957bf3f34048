namespace Microsoft.ML.Moe.Routing;

/// <summary>Tells an observer which rows a layer sees, when a list of rows is scored in several passes one after the other.</summary>
internal sealed class PassRows
{
    private int _block = -1;
    private int _start;
    private int _rows;

    /// <summary>Number of the row that is the layer's first sequence.</summary>
    public int StartOf(RoutedLayer layer)
    {
        // blocks follow each other upwards: a step back is the next pass
        if (layer.Block <= _block)
            _start += _rows;
        _block = layer.Block;
        _rows = layer.Layout.Sequences;
        return _start;
    }
}
