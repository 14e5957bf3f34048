using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.References;

/// <summary>
/// A MoE layer with an input and its output, in a file from which PyTorch makes the same layer: <c>pytorch/expert_loop.py</c> checks that
/// it gives the same output. The file goes when this is disposed.
/// </summary>
internal sealed class MoeLayerFile : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    /// <summary>Writes the file.</summary>
    /// <param name="tensors">The layer's weights, "input", "output" and "expertsPerToken".</param>
    public MoeLayerFile(IReadOnlyList<NamedValues> tensors)
    {
        using var stream = File.Create(_path);
        SafeTensors.Write(stream, tensors);
    }

    /// <summary>PyTorch's loop over the layer's experts.</summary>
    /// <param name="isGeluOfLayer">With the layer's GELU, by tanh, or else with PyTorch's default, by erf.</param>
    public string Loop(bool isGeluOfLayer) => $"loop/{(isGeluOfLayer ? "tanh" : "none")}/{_path}";

    public void Dispose() => File.Delete(_path);
}
