using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// A fair sample of a layer's input vectors, of a size that does not grow with the table: reservoir sampling (Vitter 1985,
/// algorithm R). The same tokens in the same order give the same sample.
/// </summary>
/// <param name="capacity">Vectors to keep, S.</param>
internal sealed class TokenSample(int capacity)
{
    private readonly Random _random = new(capacity);
    private readonly List<float[]> _vectors = [];
    private long _seen;

    /// <summary>The vectors kept, S at most, each D long.</summary>
    public IReadOnlyList<float[]> Vectors => _vectors;

    /// <summary>The experts of the layer that the vectors are from; null before the first.</summary>
    public Experts? Experts { get; private set; }

    /// <summary>Draws from the tokens of a batch.</summary>
    public void Draw(RoutedLayer layer)
    {
        Experts = layer.Experts;
        var tokenBySlot = new SortedDictionary<int, int>();
        for (var token = 0; token < layer.Layout.Tokens && capacity > 0; token++)
        {
            if (!layer.Layout.IsToken(token))
                continue;
            var slot = _seen < capacity ? _seen : _random.NextInt64(_seen + 1);
            _seen++;
            if (slot < capacity)
                tokenBySlot[(int)slot] = token;
        }

        if (tokenBySlot.Count == 0)
            return;
        // only the rows drawn leave the engine
        var drawn = layer.Tape.Embedding(layer.XTD, [.. tokenBySlot.Values]).ToArray();
        var width = layer.XTD.Columns;
        foreach (var (index, slot) in tokenBySlot.Keys.Index())
        {
            var vector = drawn[(index * width)..((index + 1) * width)];
            if (slot < _vectors.Count)
                _vectors[slot] = vector;
            else
                _vectors.Add(vector);
        }
    }
}
