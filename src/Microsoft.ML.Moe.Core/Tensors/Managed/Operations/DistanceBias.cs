namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// The numbers of an <see cref="AttentionBias"/> by head and falling distance: what a key adds to the scores of neighbouring queries then
/// stands side by side. The default holds none.
/// </summary>
/// <param name="values">[…, R], by head or by sequence and head.</param>
/// <param name="distances">R.</param>
/// <param name="zero">Number of distance 0 in the order of rising distance.</param>
internal readonly unsafe struct DistanceBias(float* values, int distances, int zero)
{
    public float* Values => values;

    /// <summary>A head's numbers from a distance of key and query on downwards.</summary>
    public float* Run(int head, int distance) => values + (long)head * distances + (distances - 1 - zero - distance);

    /// <summary>The numbers of a bias, divided by the scale that scores are multiplied with after they were added.</summary>
    public static DistanceBias Of(Arena memory, ManagedTensor valuesRH, int zero, float scale)
    {
        var (distances, heads) = (valuesRH.Shape[0], valuesRH.Columns);
        var values = memory.Allocate(valuesRH.Length);
        for (var row = 0; row < distances; row++)
        {
            for (var head = 0; head < heads; head++)
                values[(long)head * distances + distances - 1 - row] = valuesRH.Data[(long)row * heads + head] / scale;
        }

        return new DistanceBias(values, distances, zero);
    }

    /// <summary>Zeros for the gradients by sequence and head.</summary>
    public static DistanceBias Zeros(Arena memory, ManagedTensor valuesRH, int zero, int sequences)
    {
        var (distances, heads) = (valuesRH.Shape[0], valuesRH.Columns);
        var length = (long)sequences * heads * distances;
        var values = memory.Allocate(length);
        new Span<float>(values, checked((int)length)).Clear();
        return new DistanceBias(values, distances, zero);
    }

    /// <summary>Adds the gradients of all sequences, in their order, to those of the bias.</summary>
    public void AddTo(float* dValuesRH, int heads, int sequences)
    {
        for (var sequence = 0; sequence < sequences; sequence++)
        {
            for (var head = 0; head < heads; head++)
            {
                var run = values + ((long)sequence * heads + head) * distances;
                for (var row = 0; row < distances; row++)
                    dValuesRH[(long)row * heads + head] += run[distances - 1 - row];
            }
        }
    }
}
