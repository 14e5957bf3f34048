using Google.Protobuf;
using Microsoft.ML.Moe.Onnx.Format;

namespace Microsoft.ML.Moe.Onnx.Graph;

/// <summary>What a model's file has of a constant.</summary>
/// <param name="Header">Its tensor without numbers.</param>
/// <param name="Inside">The constant, whose numbers follow; null where they are in another file.</param>
internal readonly record struct ConstantEntry(TensorProto Header, Initializer? Inside)
{
    /// <summary>Bytes of the tensor.</summary>
    public long Bytes => Header.CalculateSize() + (Inside is { } constant
        ? ModelParts.BytesOfField(TensorProto.RawDataFieldNumber, constant.Bytes)
        : 0);
}

/// <summary>A model's file in the parts that stand before, between and behind its constants, so that these are never in memory together.</summary>
internal sealed class ModelParts
{
    private readonly ModelProto _before;
    private readonly GraphProto _nodes;
    private readonly GraphProto _ends;
    private readonly ModelProto _behind = new();

    public ModelParts(GraphBuilder graph, string version, int formatVersion, IEnumerable<(string Name, string Value)> properties)
    {
        _before = new ModelProto { IrVersion = formatVersion, ProducerName = "MlNetMoe", ProducerVersion = version };
        _nodes = new GraphProto { Name = graph.Graph.Name, Node = { graph.Graph.Node } };
        _ends = new GraphProto { Input = { graph.Graph.Input }, Output = { graph.Graph.Output } };
        _behind.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = GraphBuilder.Operators });
        if (graph.UsesMicrosoftDomain)
            _behind.OpsetImport.Add(new OperatorSetIdProto { Domain = GraphBuilder.MicrosoftDomain, Version = 1 });
        foreach (var (name, value) in properties)
            _behind.MetadataProps.Add(new StringStringEntryProto { Key = name, Value = value });
    }

    /// <summary>Bytes of the file.</summary>
    public long BytesWith(IEnumerable<ConstantEntry> constants) => _before.CalculateSize()
        + BytesOfField(ModelProto.GraphFieldNumber, BytesOfGraph(constants))
        + _behind.CalculateSize();

    /// <summary>Writes the file.</summary>
    /// <param name="stream">Receives it.</param>
    /// <param name="constants">Its constants; 2 GB of them at most.</param>
    public void WriteTo(Stream stream, IReadOnlyCollection<ConstantEntry> constants)
    {
        using var output = new CodedOutputStream(stream, leaveOpen: true);
        _before.WriteTo(output);
        BeginField(ModelProto.GraphFieldNumber, BytesOfGraph(constants));
        _nodes.WriteTo(output);
        foreach (var entry in constants)
        {
            BeginField(GraphProto.InitializerFieldNumber, entry.Bytes);
            entry.Header.WriteTo(output);
            if (entry.Inside is not { } constant)
                continue;
            BeginField(TensorProto.RawDataFieldNumber, constant.Bytes);
            output.Flush();
            constant.WriteTo(stream);
        }

        _ends.WriteTo(output);
        _behind.WriteTo(output);

        void BeginField(int number, long bytes)
        {
            output.WriteTag(number, WireFormat.WireType.LengthDelimited);
            output.WriteLength(checked((int)bytes));
        }
    }

    /// <summary>Bytes of a field of so many bytes, its number and their count among them.</summary>
    public static long BytesOfField(int number, long bytes) =>
        CodedOutputStream.ComputeTagSize(number) + CodedOutputStream.ComputeUInt64Size((ulong)bytes) + bytes;

    private long BytesOfGraph(IEnumerable<ConstantEntry> constants) => _nodes.CalculateSize()
        + constants.Sum(entry => BytesOfField(GraphProto.InitializerFieldNumber, entry.Bytes))
        + _ends.CalculateSize();
}
