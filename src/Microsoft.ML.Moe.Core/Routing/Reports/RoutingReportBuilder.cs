using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>Makes a <see cref="RoutingReport"/> from the batches of a table.</summary>
internal sealed class RoutingReportBuilder
{
    private readonly Router _router;
    private readonly int _experts;
    private readonly double _threshold;
    private readonly SortedDictionary<int, LayerTally> _layers = [];
    private readonly SortedDictionary<bool, FrequentTexts> _uncertainByStack = [];
    private readonly RoutingReportOptions _options;
    private readonly int _encoderLayers;
    private long _rows;
    private long _tokens;
    private long _tokensCutOff;

    /// <summary>Starts at no rows.</summary>
    /// <param name="router">The router in use.</param>
    /// <param name="experts">Experts in each MoE layer, N.</param>
    /// <param name="blocks">Numbers of the transformer blocks with a MoE layer.</param>
    /// <param name="options">Checked options.</param>
    /// <param name="encoderLayers">Number of the first stack's blocks; those from there on are a decoder's.</param>
    public RoutingReportBuilder(
        Router router, int experts, IEnumerable<int> blocks, RoutingReportOptions options, int encoderLayers = int.MaxValue)
    {
        (_router, _experts, _options, _encoderLayers) = (router, experts, options, encoderLayers);
        _threshold = options.UncertainThreshold * Math.Log(experts);
        foreach (var block in blocks)
        {
            if (!_uncertainByStack.TryGetValue(IsDecoder(block), out var texts))
                _uncertainByStack.Add(IsDecoder(block), texts = new FrequentTexts(LayerTally.TextsHeld));
            _layers.Add(block, new LayerTally(block, experts, _threshold, options, texts));
        }
    }

    /// <summary>Starts a batch of rows that are now scored, in order.</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="tokens">Number of their tokens.</param>
    /// <param name="tokensCutOff">Number of their tokens that were cut off.</param>
    /// <param name="textOf">What a token reads as, given the block, the number of its row and its position there.</param>
    /// <returns>The observer to score them with.</returns>
    public IRoutingObserver Observe(int rows, long tokens, long tokensCutOff, Func<int, int, int, string> textOf)
    {
        _rows += rows;
        _tokens += tokens;
        _tokensCutOff += tokensCutOff;
        return new Batch(this, textOf);
    }

    /// <summary>The report on all batches so far.</summary>
    /// <param name="engine">Where the experts live.</param>
    public RoutingReport Build(Engine engine)
    {
        LayerRoutingReport[] layers = [.. _layers.Select(layer => layer.Value.Build(engine) with { IsDecoder = IsDecoder(layer.Key) })];
        return new RoutingReport(_router, _experts, _rows, _tokens, _tokensCutOff, _threshold, layers)
        {
            Stacks = [.. _uncertainByStack.Select(stack => StackOf(layers, stack.Key, stack.Value))],
        };
    }

    private StackRoutingReport StackOf(LayerRoutingReport[] layers, bool isDecoder, FrequentTexts texts)
    {
        LayerRoutingReport[] own = [.. layers.Where(layer => layer.IsDecoder == isDecoder)];
        var uncertain = own.Sum(layer => layer.UncertainTokens);
        return new StackRoutingReport(
            isDecoder, own.Sum(layer => layer.Tokens), uncertain, LayerTally.MostUncertain(texts, _options.TopTokens, uncertain));
    }

    private bool IsDecoder(int block) => block >= _encoderLayers;

    private sealed class Batch(RoutingReportBuilder builder, Func<int, int, int, string> textOf) : IRoutingObserver
    {
        private readonly PassRows _pass = new();

        public void OnRouted(RoutedLayer layer)
        {
            var start = _pass.StartOf(layer);
            var (offsets, ofRow) = (layer.Layout.Offsets.ToArray(), layer.Layout.SequencesOfRow);
            builder._layers[layer.Block].Add(layer, (sequence, position) => textOf(
                layer.Block, start + sequence / ofRow, position + offsets[sequence] - offsets[sequence - sequence % ofRow]));
        }
    }
}

/// <summary>Tells an observer which rows a layer sees, when a list of rows is scored in several passes one after the other.</summary>
internal sealed class PassRows
{
    private int _block = -1;
    private int _start;
    private int _rows;

    /// <summary>Number of the row that the layer's first sequence belongs to.</summary>
    public int StartOf(RoutedLayer layer)
    {
        // blocks follow each other upwards: a step back is the next pass
        if (layer.Block <= _block)
            _start += _rows;
        _block = layer.Block;
        _rows = layer.Layout.Sequences / layer.Layout.SequencesOfRow;
        return _start;
    }
}
