using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Files;

/// <summary>
/// A model's parameters as the tensors of a checkpoint: <see cref="WeightRules"/> the other way round. What two parameters share is written
/// once.
/// </summary>
internal static class PublishedTensors
{
    /// <summary>The tensors, in the order of the parameters; one at a time is in memory while they are written.</summary>
    /// <param name="parameters">The parameters; those that a checkpoint does not hold are left out.</param>
    /// <param name="rules">What is where.</param>
    /// <param name="typeOf">Type of a parameter in the file, single precision or bfloat16; a tensor of several has the wider of theirs.</param>
    /// <param name="prefixOf">What stands before the names of a parameter's tensors, one of the rules' prefixes; null for nothing.</param>
    /// <exception cref="InvalidOperationException">No rule says where a parameter is: the model is none that is published.</exception>
    public static IReadOnlyList<SavedTensor> Of(
        IEnumerable<Parameter> parameters,
        WeightRules rules,
        Func<Parameter, ElementType> typeOf,
        Func<Parameter, string>? prefixOf = null)
    {
        var tensors = new Dictionary<string, TensorInfo>();
        var sources = new Dictionary<string, List<Parameter>>();
        foreach (var parameter in parameters)
        {
            foreach (var (bare, shape) in rules.Expect(parameter.Name, parameter.Value.Shape.ToArray()))
            {
                var name = prefixOf?.Invoke(parameter) + bare;
                if (tensors.TryAdd(name, new TensorInfo(name, TensorType.F32, shape, TensorInfo.Product(shape), 0)))
                    sources.Add(name, []);
                sources[name].Add(parameter);
            }
        }

        return [.. tensors.Values.Select(tensor => new SavedTensor(
            tensor.Name,
            tensor.Shape,
            sources[tensor.Name].All(p => typeOf(p) == ElementType.BFloat16) ? ElementType.BFloat16 : ElementType.Float32,
            () => ValuesOf(tensor, sources[tensor.Name], rules, tensors)))];
    }

    /// <summary>As the other, with all tensors of one type.</summary>
    public static IReadOnlyList<SavedTensor> Of(
        IEnumerable<Parameter> parameters, WeightRules rules, ElementType type, Func<Parameter, string>? prefixOf = null) =>
        Of(parameters, rules, _ => type, prefixOf);

    private static float[] ValuesOf(
        TensorInfo tensor, IEnumerable<Parameter> parameters, WeightRules rules, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        var values = new float[tensor.Elements];
        foreach (var parameter in parameters.Distinct())
        {
            var shape = parameter.Value.Shape.ToArray();
            var block = rules.Find(parameter.Name, shape, tensors).Block
                ?? throw new InvalidOperationException($"{parameter.Name} is not what the tensors of {rules.Architecture} hold.");
            var own = parameter.Value.ToArray();
            foreach (var piece in block.Pieces.Where(p => p.Tensor?.Name == tensor.Name))
                Scatter(piece, TensorBlock.Strides(shape), own, values);
        }

        return values;
    }

    /// <summary>Copies a piece of a parameter to where it is in the tensor.</summary>
    private static void Scatter(TensorBlock.Piece piece, long[] strides, float[] from, float[] to)
    {
        var first = 0L;
        for (var axis = 0; axis < strides.Length; axis++)
            first += piece.Start[axis] * strides[axis];
        Copy(0, first, piece.First);

        void Copy(int dimension, long source, long target)
        {
            if (dimension == piece.Dimensions.Count)
            {
                to[target] = from[source];
                return;
            }

            var (size, targetStride, axis, step) = piece.Dimensions[dimension];
            var sourceStride = step * strides[axis];
            if (dimension == piece.Dimensions.Count - 1)
            {
                for (var i = 0; i < size; i++)
                    to[target + i * targetStride] = from[source + i * sourceStride];
                return;
            }

            for (var i = 0; i < size; i++)
                Copy(dimension + 1, source + i * sourceStride, target + i * targetStride);
        }
    }
}
