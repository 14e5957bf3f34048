using System.Buffers.Binary;
using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.EncoderFiles;

/// <summary>
/// The weights of a ResNet of basic blocks that was exported to ONNX under meaningless names: what each is follows from where the graph reads
/// it, and it gets the name that Hugging Face's models have for it. The first convolution reads colours as blue, green, red there; here, as
/// red, green, blue.
/// </summary>
internal sealed class ResNetWeights : TensorSource, IDisposable
{
    private const int NormInputs = 5;
    private const string First = "embedder.embedder";
    private const string FirstName = First + ".convolution.weight";
    private readonly Dictionary<string, TensorInfo> _tensors = [];
    private readonly Dictionary<string, OnnxTensor> _constants;
    private readonly ILookup<string, OnnxNode> _readers;
    private readonly HashSet<OnnxNode> _used = [];
    private readonly MappedFile _file;

    private ResNetWeights(string path, MappedFile file, OnnxGraph graph)
    {
        (Name, _file) = (path, file);
        _constants = graph.Tensors.DistinctBy(tensor => tensor.Name).ToDictionary(tensor => tensor.Name);
        _readers = graph.Nodes
            .SelectMany(node => node.Inputs.Where(input => !_constants.ContainsKey(input)).Distinct().Select(input => (input, node)))
            .ToLookup(reader => reader.input, reader => reader.node, StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>Opens a file.</summary>
    /// <param name="path">Its path.</param>
    /// <exception cref="InvalidDataException">It is no ONNX model, damaged, or no such network; the message says where it differs.</exception>
    public static ResNetWeights Open(string path)
    {
        var (file, length) = OnnxWeights.Map(path, start: 0, length: null, path);
        try
        {
            var graph = OnnxGraph.Read(file.Bytes(0, length), path);
            var weights = new ResNetWeights(path, file, graph);
            weights.Walk(graph);
            return weights;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    /// <inheritdoc/>
    protected override void ReadSingle(TensorInfo tensor, long first, Span<float> values)
    {
        var bytes = _file.Bytes(tensor.Offset, (int)tensor.Bytes);
        var isFirst = tensor.Name == FirstName;
        var (ofChannel, channels) = isFirst ? (tensor.Shape[2] * tensor.Shape[3], tensor.Shape[1]) : (1, 1);
        for (var i = 0; i < values.Length; i++)
        {
            var element = (int)first + i;
            var channel = element / ofChannel % channels;
            element += (channels - 1 - 2 * channel) * ofChannel;
            values[i] = BinaryPrimitives.ReadSingleLittleEndian(bytes[(element * sizeof(float))..]);
        }
    }

    /// <inheritdoc/>
    protected override void ReadBits(TensorInfo tensor, long first, Span<ushort> bits) =>
        throw new NotSupportedException("All tensors are in single precision.");

    private void Walk(OnnxGraph graph)
    {
        var first = graph.Nodes.FirstOrDefault(node => node.Operator == "Conv") ?? throw Differs("it has no convolution");
        var state = Through("MaxPool", Through("Relu", AddNormed(first, First)));
        var (stage, layer) = (0, 0);
        while (_readers[state].Any(node => node.Operator == "Conv"))
        {
            // a block's own first convolution goes on to an activation, that of its shortcut to the sum
            var convolutions = _readers[state].Where(node => node.Operator == "Conv").ToLookup(GoesToSum);
            if (convolutions[true].Any() && layer > 0)
                (stage, layer) = (stage + 1, 0);
            var name = $"encoder.stages.{stage}.layers.{layer}";
            var inner = Through("Relu", AddNormed(Only(convolutions[false], state), name + ".layer.0"));
            var sum = AddNormed(Only(_readers[inner], inner), name + ".layer.1");
            if (convolutions[true].Any())
                AddNormed(Only(convolutions[true], state), name + ".shortcut");
            state = Through("Relu", Through("Add", sum));
            layer++;
        }
    }

    /// <summary>Names the tensors of a convolution and of the norm behind it.</summary>
    /// <returns>What the norm gives.</returns>
    private string AddNormed(OnnxNode convolution, string name)
    {
        if (convolution.Operator != "Conv" || convolution.Inputs.Count != 2)
            throw Differs($"{name} is no convolution without bias");
        if (!_used.Add(convolution))
            throw Differs($"the convolution of {name} is one that has been before");
        var norm = Only(_readers[ResultOf(convolution)], ResultOf(convolution));
        if (norm.Operator != "BatchNormalization" || norm.Inputs.Count != NormInputs)
            throw Differs($"behind the convolution of {name} there is no batch norm");
        Add(convolution.Inputs[1], name + ".convolution.weight", rank: 4);
        for (var i = 0; i < ResNetTensors.OfNorm.Length; i++)
            Add(norm.Inputs[i + 1], $"{name}.normalization.{ResNetTensors.OfNorm[i]}", rank: 1);
        return ResultOf(norm);
    }

    private void Add(string constant, string name, int rank)
    {
        if (!_constants.TryGetValue(constant, out var tensor) || tensor.Type != OnnxTensor.Float || tensor.Shape.Length != rank)
            throw Differs($"{constant} is no tensor of {rank} dimensions in single precision, as {name} is");
        if (tensor.Elements > int.MaxValue / sizeof(float))
            throw OnnxGraph.Damaged(Name, $"tensor {constant} has {tensor.Elements} elements");
        _tensors.Add(name, new TensorInfo(name, TensorType.F32, tensor.Shape, tensor.Elements, tensor.Start));
    }

    /// <summary>Whether what a convolution gives, normed, is added to something at once.</summary>
    private bool GoesToSum(OnnxNode convolution) =>
        _readers[ResultOf(convolution)].Any(norm => _readers[ResultOf(norm)].Any(node => node.Operator == "Add"));

    /// <summary>What an operator gives that alone reads a value.</summary>
    private string Through(string operation, string value)
    {
        var node = Only(_readers[value], value);
        return node.Operator == operation ? ResultOf(node) : throw Differs($"{value} goes to {node.Operator}, not to {operation}");
    }

    private OnnxNode Only(IEnumerable<OnnxNode> readers, string value) =>
        readers.ToList() is [var only] ? only : throw Differs($"{value} has not one reader of a kind where a ResNet of basic blocks has one");

    private string ResultOf(OnnxNode node) => node.Outputs.Count > 0 ? node.Outputs[0] : throw Differs($"a {node.Operator} gives nothing");

    private InvalidDataException Differs(string where) => new($"{Name} is no ResNet of basic blocks: {where}.");
}
