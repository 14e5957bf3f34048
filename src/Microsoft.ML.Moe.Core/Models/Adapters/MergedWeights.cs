using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Models.Adapters;

/// <summary>Weights with their adapters worked in, W + scaling·(A·B), rounded once where they are in bfloat16 or int8.</summary>
internal static class MergedWeights
{
    /// <summary>The parameters that adapters change, by name; one at a time is in memory in single precision.</summary>
    /// <param name="engine">Where they shall live.</param>
    /// <param name="adapted">The parameters.</param>
    public static IReadOnlyDictionary<string, Parameter> Of(Engine engine, IEnumerable<AdaptedParameter> adapted) =>
        adapted.ToDictionary(a => a.Parameter.Name, a => Merge(engine, a.Parameter, a.Adapter));

    /// <summary>A parameter's values with its adapter worked in.</summary>
    /// <param name="engine">Where it lives.</param>
    /// <param name="parameter">The parameter.</param>
    /// <param name="adapter">Its adapter.</param>
    public static float[] ValuesOf(Engine engine, Parameter parameter, Adapter adapter)
    {
        var values = parameter.Value.ToArray();
        foreach (var part in adapter.Parts)
            Add(engine, values, parameter.Value.Shape.ToArray(), part);
        return values;
    }

    private static Parameter Merge(Engine engine, Parameter parameter, Adapter adapter)
    {
        var (values, shape) = (ValuesOf(engine, parameter, adapter), parameter.Value.Shape.ToArray());
        if (parameter.Value.ElementType != ElementType.Float32)
            return engine.CreateParameter(parameter.Name, shape, BFloat16Values.Create(values.Length, bits => BFloat16.Round(values, bits)));
        var merged = engine.CreateParameter(parameter.Name, shape, values, parameter.SparseRows);
        merged.IsFrozen = true;
        return merged;
    }

    // values[e, i, first + o] += scaling·Σ over r of A[e, i, r]·B[e, r, o]
    private static void Add(Engine engine, float[] values, int[] shape, AdapterPart part)
    {
        var (a, b) = (part.A.Value.ToArray(), part.B.Value.ToArray());
        var (inputs, columns, rank, outputs) = (shape[^2], shape[^1], part.A.Value.Columns, part.Columns);
        engine.ForEach(values.Length / columns, row =>
        {
            var target = values.AsSpan(row * columns + part.FirstColumn, outputs);
            var ofExpert = b.AsSpan(row / inputs * rank * outputs, rank * outputs);
            Span<double> sums = outputs <= 1024 ? stackalloc double[outputs] : new double[outputs];
            sums.Clear();
            for (var r = 0; r < rank; r++)
            {
                var factor = (double)a[row * rank + r];
                for (var o = 0; o < outputs; o++)
                    sums[o] += factor * ofExpert[r * outputs + o];
            }

            for (var o = 0; o < outputs; o++)
                target[o] = (float)(target[o] + part.Scaling * sums[o]);
        });
    }
}
