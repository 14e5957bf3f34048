using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Gradients and values by the names that a checkpoint has for the tensors: the rules that load it, backwards.</summary>
internal static class PublishedGradients
{
    /// <summary>Gradients of the tensors that parameters were loaded from; a tensor that is used twice has the sum.</summary>
    public static Dictionary<string, float[]> Of(IEnumerable<Parameter> parameters, WeightRules rules, TensorSource source) =>
        Of(parameters, rules, source, GradientOf, (sum, gradient) => sum + gradient);

    /// <summary>Values of the tensors that parameters were loaded from, as they are now.</summary>
    public static Dictionary<string, float[]> ValuesOf(IEnumerable<Parameter> parameters, WeightRules rules, TensorSource source) =>
        Of(parameters, rules, source, parameter => parameter.Value.ToArray(), (_, value) => value);

    /// <summary>Names of the tensors that a parameter was loaded from.</summary>
    public static IEnumerable<string> NamesOf(Parameter parameter, WeightRules rules, TensorSource source) =>
        rules.Find(parameter.Name, parameter.Value.Shape.ToArray(), source.Tensors).Block!.Pieces
            .Where(piece => piece.Tensor is not null)
            .Select(piece => piece.Tensor!.Name);

    private static float[] GradientOf(Parameter parameter)
    {
        var gradient = new float[parameter.Value.Length];
        parameter.Value.CopyGradientTo(gradient);
        return gradient;
    }

    private static Dictionary<string, float[]> Of(
        IEnumerable<Parameter> parameters,
        WeightRules rules,
        TensorSource source,
        Func<Parameter, float[]> read,
        Func<float, float, float> join)
    {
        var gradients = new Dictionary<string, float[]>();
        foreach (var parameter in parameters)
        {
            var shape = parameter.Value.Shape.ToArray();
            var gradient = read(parameter);
            foreach (var piece in rules.Find(parameter.Name, shape, source.Tensors).Block!.Pieces)
            {
                if (piece.Tensor is not { } tensor)
                    continue;
                if (!gradients.TryGetValue(tensor.Name, out var sum))
                    gradients.Add(tensor.Name, sum = new float[tensor.Elements]);
                var strides = TensorBlock.Strides(shape);
                Add(piece, 0, piece.First, Enumerable.Range(0, shape.Length).Sum(axis => piece.Start[axis] * strides[axis]));

                void Add(TensorBlock.Piece p, int dimension, long from, long to)
                {
                    if (dimension == p.Dimensions.Count)
                    {
                        sum[from] = join(sum[from], gradient[to]);
                        return;
                    }

                    var d = p.Dimensions[dimension];
                    for (var i = 0; i < d.Size; i++)
                        Add(p, dimension + 1, from + i * d.SourceStride, to + i * d.Step * strides[d.Axis]);
                }
            }
        }

        return gradients;
    }
}
