using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Embeddings;

/// <summary>Weights of sentence-transformers' Dense: <c>linear.weight</c> [out, in] and <c>linear.bias</c>.</summary>
internal static class DenseWeights
{
    /// <summary>Name of the layer in its file.</summary>
    public const string Layer = "linear";

    /// <summary>Fills a layer's parameters from its folder.</summary>
    /// <param name="engine">Has the parameters.</param>
    /// <param name="folder">The folder.</param>
    /// <param name="store">Has the parameters.</param>
    /// <param name="name">Their name, without their kind.</param>
    /// <exception cref="FileNotFoundException">The folder has no weights.</exception>
    /// <exception cref="InvalidDataException">The weights are damaged or not this layer's; the message lists all that is wrong.</exception>
    public static void Fill(Engine engine, string folder, ParameterStore store, string name)
    {
        using var files = TensorFiles.Open(folder);
        var weights = Weights.From(files, Rules(name), WeightPrecision.Float32);
        foreach (var (parameter, _) in store.All.Where(p => p.Parameter.Name.StartsWith(name + ".", StringComparison.Ordinal)))
        {
            var read = weights.Create(engine, parameter.Name, parameter.Value.Shape.ToArray(), sparseRows: false, mayBeBFloat16: false)!;
            parameter.Value.CopyFrom(read.Value.ToArray());
        }

        weights.Complete();
    }

    /// <summary>What is where in the file.</summary>
    /// <param name="name">Name of the parameters, without their kind.</param>
    public static WeightRules Rules(string name) => new WeightRules("Dense")
        .Copy(name + ".weight", Layer + ".weight", transpose: true)
        .Copy(name + ".bias", Layer + ".bias");
}
