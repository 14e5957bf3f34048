using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>Random values, made fast: large layers are made for every benchmark.</summary>
internal static class Values
{
    // A prime, so that rows of no width repeat each other.
    private const int MostDrawn = 1_048_573;

    /// <summary>Values with mean 0 and the given deviation; behind the first million they repeat.</summary>
    public static float[] Random(int count, float deviation, int seed = 1)
    {
        var random = new Random(seed);
        var values = new float[count];
        // The uniform distribution on ±√3 has deviation 1.
        var drawn = Math.Min(count, MostDrawn);
        for (var i = 0; i < drawn; i++)
            values[i] = (2f * random.NextSingle() - 1f) * 1.7320508f * deviation;
        for (var start = drawn; start < count; start += drawn)
            values.AsSpan(0, Math.Min(drawn, count - start)).CopyTo(values.AsSpan(start));
        return values;
    }

    /// <summary>A parameter with deviation 1 that stands for a layer's input.</summary>
    public static Parameter Input(Engine engine, params int[] shape) =>
        engine.CreateParameter("input", shape, Random(Product(shape), 1f, seed: 7));

    /// <summary>A store whose weights have deviation 1/√inputs and whose biases are 0.</summary>
    public static ParameterStore Store(Engine engine)
    {
        var seed = 0;
        return new ParameterStore(engine, (name, shape) => name[(name.LastIndexOf('.') + 1)..].StartsWith('b')
            ? new float[Product(shape)]
            : Random(Product(shape), 1f / MathF.Sqrt(shape[^2]), ++seed));
    }

    private static int Product(int[] shape) => shape.Aggregate(1, (product, size) => checked(product * size));
}
