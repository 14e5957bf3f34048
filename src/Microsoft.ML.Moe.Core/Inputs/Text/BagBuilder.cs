using System.Numerics;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Collects bags of weighted table rows one after the other, again and again in the same memory.</summary>
internal sealed class BagBuilder
{
    private readonly RaggedIndices _built = new();
    private int[] _offsets = [0];
    private int[] _indices = [];
    private float[] _weights = [];
    private int _bags;
    private int _entries;

    /// <summary>Forgets all bags and makes room for others.</summary>
    /// <param name="bags">Number of bags that are expected.</param>
    public void Clear(int bags)
    {
        (_bags, _entries) = (0, 0);
        if (_offsets.Length <= bags)
            Array.Resize(ref _offsets, (int)BitOperations.RoundUpToPowerOf2((uint)bags + 1));
    }

    /// <summary>Adds a row to the bag under way.</summary>
    public void Add(int row, float weight)
    {
        if (_entries == _indices.Length)
        {
            Array.Resize(ref _indices, Math.Max(1024, 2 * _entries));
            Array.Resize(ref _weights, _indices.Length);
        }

        _indices[_entries] = row;
        _weights[_entries++] = weight;
    }

    /// <summary>Ends the bag under way.</summary>
    public void EndBag() => _offsets[++_bags] = _entries;

    /// <summary>The bags, which stay as they are until <see cref="Clear"/>.</summary>
    public RaggedIndices Build()
    {
        _built.Reset(_offsets.AsMemory(0, _bags + 1), _indices.AsMemory(0, _entries), _weights.AsMemory(0, _entries));
        return _built;
    }
}
