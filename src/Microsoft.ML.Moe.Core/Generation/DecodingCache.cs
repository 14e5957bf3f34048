using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// What the layers of a model keep of the tokens that they have seen, so that the next tokens need only themselves computed. For one thread.
/// </summary>
/// <param name="engine">Where the model lives.</param>
/// <param name="sequences">Number of sequences, at least 1.</param>
/// <param name="capacity">Most tokens of a sequence, at least 1.</param>
internal sealed class DecodingCache(Engine engine, int sequences, int capacity) : IDisposable
{
    private readonly Dictionary<string, KeyValueCache> _caches = [];
    private readonly Dictionary<int, RoutingHistory> _routing = [];
    private readonly int[] _lengths = new int[sequences];

    /// <summary>Number of sequences.</summary>
    public int Sequences => sequences;

    /// <summary>Tokens of each sequence that all layers have seen: the position of its next token.</summary>
    public ReadOnlySpan<int> Lengths => _lengths;

    /// <summary>Keys and values of an attention layer; made when it is asked for first.</summary>
    /// <param name="name">Name of the layer.</param>
    /// <param name="keyWidth">Columns of the keys, all heads together.</param>
    /// <param name="valueWidth">Columns of the values, all heads together.</param>
    /// <param name="room">Most tokens of a sequence; null for the capacity of this cache. What cross-attention reads is as long as its source.</param>
    public KeyValueCache Of(string name, int keyWidth, int valueWidth, int? room = null)
    {
        if (!_caches.TryGetValue(name, out var cache))
            _caches.Add(name, cache = engine.CreateKeyValueCache(sequences, room ?? capacity, keyWidth, valueWidth));
        return cache;
    }

    /// <summary>What the router of a MoE layer has seen; made when it is asked for first.</summary>
    /// <param name="block">Number of the layer's block.</param>
    public RoutingHistory RoutingOf(int block)
    {
        if (!_routing.TryGetValue(block, out var history))
            _routing.Add(block, history = new RoutingHistory(sequences));
        return history;
    }

    /// <summary>To be called when all layers have seen the tokens of a pass.</summary>
    /// <param name="layout">The sequences' new tokens.</param>
    public void Count(SequenceLayout layout)
    {
        for (var sequence = 0; sequence < sequences; sequence++)
            _lengths[sequence] += layout.Offsets[sequence + 1] - layout.Offsets[sequence];
    }

    /// <summary>Sequence i goes on as what sequence sources[i] was.</summary>
    /// <param name="sources">As many as there are sequences.</param>
    public void Reorder(ReadOnlySpan<int> sources)
    {
        foreach (var cache in _caches.Values)
            cache.Reorder(sources);
        foreach (var history in _routing.Values)
            history.Reorder(sources);
        int[] before = [.. _lengths];
        for (var sequence = 0; sequence < sequences; sequence++)
            _lengths[sequence] = before[sources[sequence]];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var cache in _caches.Values)
            cache.Dispose();
        _caches.Clear();
    }
}
