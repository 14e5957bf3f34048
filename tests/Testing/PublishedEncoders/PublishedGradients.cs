using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Gradients by the names that a checkpoint has for the tensors: the rules that load it, backwards.</summary>
internal static class PublishedGradients
{
    /// <summary>Gradients of the tensors that parameters were loaded from; a tensor that is used twice has the sum.</summary>
    public static Dictionary<string, float[]> Of(IEnumerable<Parameter> parameters, WeightRules rules, TensorSource source)
    {
        var gradients = new Dictionary<string, float[]>();
        foreach (var parameter in parameters)
        {
            var shape = parameter.Value.Shape.ToArray();
            var gradient = new float[parameter.Value.Length];
            parameter.Value.CopyGradientTo(gradient);
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
                        sum[from] += gradient[to];
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
