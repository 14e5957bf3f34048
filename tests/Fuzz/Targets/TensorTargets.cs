using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Files;

namespace Microsoft.ML.Moe.Tests.Fuzzing;

/// <summary>A safetensors stream, one that can be read anywhere and one that cannot.</summary>
internal sealed class SafeTensorsTarget : FuzzTarget
{
    public override string Name => "safetensors";

    public override void Read(FuzzInput input)
    {
        SafeTensors.Read(new MemoryStream(input.Single)).TakeAll();
        SafeTensors.Read(new OneWay(input.Single)).TakeAll();
    }

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        yield return Of(Array.Empty<NamedValues>());
        yield return Of(new[] { new NamedValues("a", [2, 3], [1, 2, 3, 4, 5, 6]) });
        yield return Of(new[] { new NamedValues("a.weight", [1], [0.5f]), new NamedValues("b", [0, 4], []), new NamedValues("c", [2, 1, 2],
            [1, -1, 0, 3]) });
        using var stream = new MemoryStream();
        using var engine = new ManagedEngine(1);
        SafeTensors.Write(stream, [engine.CreateParameter("w", [1, 3], BFloat16Values.Copy([0x3F80, 0x7FC1, 0xC000]))]);
        yield return Of(stream.ToArray());
    }

    private static FuzzInput Of(NamedValues[] tensors)
    {
        using var stream = new MemoryStream();
        SafeTensors.Write(stream, tensors);
        return Of(stream.ToArray());
    }

    private static FuzzInput Of(byte[] bytes) => new(new FuzzFile("model.safetensors", bytes));

    private sealed class OneWay(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}

/// <summary>A folder of shards with their index, or of one file, mapped.</summary>
internal sealed class ShardsTarget : FuzzTarget
{
    public override string Name => "shards";

    public override bool IsDocumented(Exception exception) => exception is InvalidDataException or FileNotFoundException;

    public override void Read(FuzzInput input)
    {
        using var files = TensorFiles.Open(Place.Fill(input));
        foreach (var tensor in files.Tensors.Values.Where(t => TensorValues.IsReadable(t.Type) && t.Elements <= input.Length))
            files.Read(tensor, 0, new float[tensor.Elements]);
    }

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        SavedTensor[] tensors =
        [
            SavedTensor.Of(new NamedValues("a", [4, 4], [.. Enumerable.Range(0, 16)])), SavedTensor.Of(new NamedValues("b.weight", [2, 8],
                [.. Enumerable.Range(0, 16)])),
            SavedTensor.Of(new NamedValues("c", [3], [1, 2, 3])),
        ];
        foreach (var bytes in new long?[] { null, 64, 100 })
        {
            Place.Empty();
            SafeTensorsWriter.WriteFolder(Place.Path, tensors, bytes);
            yield return FuzzInput.OfFolder(Place.Path);
        }
    }
}

/// <summary>The weights in an ONNX model.</summary>
internal sealed class OnnxTarget : FuzzTarget
{
    private const string File = "model.onnx";

    public override string Name => "onnx";

    public override void Read(FuzzInput input)
    {
        Place.Fill(input);
        using var weights = OnnxWeights.Open(Place[File]);
        foreach (var tensor in weights.Tensors.Values.Where(t => t.Elements <= input.Length))
            weights.Read(tensor, 0, new float[tensor.Elements]);
    }

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        yield return Of(OnnxBytes.Model(OnnxBytes.Tensor("layer.0.weight", [2, 3]), OnnxBytes.Tensor("layer.0.bias", [3], isPacked: true)));
        yield return Of(OnnxBytes.Model(
            OnnxBytes.Node("MatMul", ["x", "onnx::MatMul_1"], "y"), OnnxBytes.Node("Add", ["layer.bias", "y"], "z"),
            OnnxBytes.Tensor("onnx::MatMul_1", [2, 3]), OnnxBytes.Tensor("layer.bias", [3])));
        yield return Of(OnnxBytes.Model(
            OnnxBytes.Node("Gemm", ["x", "head.weight", "head.bias"], "y", transB: true), OnnxBytes.Tensor("head.weight", [3, 2]),
                OnnxBytes.Tensor("head.bias", [3])));

        static FuzzInput Of(byte[] bytes) => new(new FuzzFile(File, bytes));
    }
}
