using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.OnnxRuntime;

namespace Microsoft.ML.Moe.Benchmarks.References;

/// <summary>A layer in ONNX Runtime, out of a file of one input and one output.</summary>
internal sealed class OnnxLayer : IDisposable
{
    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();
    private readonly OrtValue[] _inputs;

    /// <summary>Opens it.</summary>
    /// <param name="path">Path of the file.</param>
    /// <param name="xTD">What the layer reads, [T, D].</param>
    /// <param name="threads">Threads that it may take.</param>
    public OnnxLayer(string path, Tensor xTD, int threads)
    {
        using var options = OnnxSessions.Options(threads);
        _session = new InferenceSession(path, options);
        _inputs = [OrtValue.CreateTensorValueFromMemory(xTD.ToArray(), [xTD.Shape[0], xTD.Columns])];
    }

    /// <summary>Runs it.</summary>
    public void Run() => Outputs().Dispose();

    /// <summary>What it gives.</summary>
    public float[] Output()
    {
        using var outputs = Outputs();
        return outputs[0].GetTensorDataAsSpan<float>().ToArray();
    }

    public void Dispose()
    {
        foreach (var input in _inputs)
            input.Dispose();
        _options.Dispose();
        _session.Dispose();
    }

    private IDisposableReadOnlyCollection<OrtValue> Outputs() => _session.Run(_options, _session.InputNames, _inputs, _session.OutputNames);
}
