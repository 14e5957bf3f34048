using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Text;

/// <summary>Collects bags of weighted rows one after the other.</summary>
internal sealed class BagBuilder(int bags, int expectedIndices)
{
    private readonly List<int> _offsets = new(bags + 1) { 0 };
    private readonly List<int> _indices = new(expectedIndices);
    private readonly List<float> _weights = new(expectedIndices);

    /// <summary>Adds a row to the current bag.</summary>
    public void Add(int row, float weight)
    {
        _indices.Add(row);
        _weights.Add(weight);
    }

    /// <summary>Ends the current bag.</summary>
    public void EndBag() => _offsets.Add(_indices.Count);

    /// <summary>The bags.</summary>
    public RaggedIndices Build() => new([.. _offsets], [.. _indices], [.. _weights]);
}
