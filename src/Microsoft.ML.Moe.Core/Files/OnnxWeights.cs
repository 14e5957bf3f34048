using System.Buffers.Binary;

namespace Microsoft.ML.Moe.Files;

/// <summary>
/// The weights of a model that PyTorch has exported to ONNX, by the names and in the layout that they have in PyTorch, read where the
/// mapped file lies. Exporters keep the names of what they leave as it is, <c>….weight</c> and <c>….bias</c>; the matrices of linear
/// layers they transpose and number. Such a matrix gets its name from the graph: it is the second factor of a MatMul whose product goes
/// to the Add of <c>X.bias</c>, so it is <c>X.weight</c>, stored as [in, out]. Neither order nor numbers count.
/// </summary>
internal sealed class OnnxWeights : TensorSource, IDisposable
{
    private const string WeightEnd = ".weight";
    private const string BiasEnd = ".bias";
    private readonly Dictionary<string, TensorInfo> _tensors = [];
    private readonly HashSet<string> _transposed = [];
    private readonly MappedFile _file;
    private readonly long _start;

    private OnnxWeights(string name, MappedFile file, long start) => (Name, _file, _start) = (name, file, start);

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>Opens a model.</summary>
    /// <param name="path">The file that it is, or that it is part of.</param>
    /// <param name="start">Where it begins in the file.</param>
    /// <param name="length">Its bytes; null for all that follow.</param>
    /// <param name="name">What errors call it; null for the path.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">
    /// The file is no ONNX model or damaged, or has weights that are not in single precision, or whose name cannot be told; the message
    /// names file and tensor.
    /// </exception>
    public static OnnxWeights Open(string path, long start = 0, long? length = null, string? name = null)
    {
        name ??= path;
        var (file, bytes) = Map(path, start, length, name);
        var weights = new OnnxWeights(name, file, start);
        try
        {
            weights.Add(OnnxGraph.Read(file.Bytes(start, bytes), name));
            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    /// <inheritdoc/>
    protected override void ReadSingle(TensorInfo tensor, long first, Span<float> values)
    {
        var bytes = _file.Bytes(_start + tensor.Offset, (int)tensor.Bytes);
        if (!_transposed.Contains(tensor.Name))
        {
            TensorValues.ToSingle(TensorType.F32, bytes.Slice((int)first * sizeof(float), values.Length * sizeof(float)), values);
            return;
        }

        // [out, in] here, [in, out] in the file
        var (outputs, inputs) = (tensor.Shape[0], tensor.Shape[1]);
        for (var i = 0; i < values.Length; i++)
        {
            var (output, input) = Math.DivRem((int)first + i, inputs);
            values[i] = BinaryPrimitives.ReadSingleLittleEndian(bytes[((input * outputs + output) * sizeof(float))..]);
        }
    }

    /// <inheritdoc/>
    protected override void ReadBits(TensorInfo tensor, long first, Span<ushort> bits) =>
        throw new NotSupportedException("All tensors are in single precision.");

    /// <summary>Maps a file of which a model is all or a part.</summary>
    /// <exception cref="InvalidDataException">The part is none, or no model can be as long.</exception>
    internal static (MappedFile File, int Bytes) Map(string path, long start, long? length, string name)
    {
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        try
        {
            var bytes = length ?? stream.Length - start;
            if (start < 0 || bytes < 0 || start > stream.Length - bytes)
                throw OnnxGraph.Damaged(name, $"{path} has {stream.Length} bytes, not {bytes} from byte {start} on");
            return bytes is > 0 and <= int.MaxValue
                ? (new MappedFile(stream), (int)bytes)
                : throw OnnxGraph.Damaged(name, $"it has {bytes} bytes, not 1 to {int.MaxValue}");
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    private void Add(OnnxGraph graph)
    {
        var constants = new Dictionary<string, OnnxTensor>();
        foreach (var tensor in graph.Tensors)
        {
            if (!constants.TryAdd(tensor.Name, tensor))
                throw OnnxGraph.Damaged(Name, $"it has two tensors {tensor.Name}");
        }

        var matrices = FindMatrices(graph, constants);
        foreach (var tensor in graph.Tensors.Where(tensor => !tensor.IsInteger))
        {
            var isNamed = tensor.Name.EndsWith(WeightEnd, StringComparison.Ordinal)
                || tensor.Name.EndsWith(BiasEnd, StringComparison.Ordinal);
            var isMatrix = matrices.TryGetValue(tensor.Name, out var matrix);

            // numbers that are part of a formula, such as an epsilon
            if (!isNamed && !isMatrix && tensor.Elements <= 1)
                continue;
            if (tensor.Type != OnnxTensor.Float)
            {
                throw new InvalidDataException(
                    $"{Name}: tensor {tensor.Name} has ONNX's type {tensor.Type}; only single precision (type 1) is read. Export the " +
                    "model in single precision, without quantisation.");
            }

            if (!isNamed && matrix.Name is null)
            {
                throw new InvalidDataException(
                    $"{Name}: which weights are in tensor {tensor.Name} of shape {TensorInfo.TextOf(tensor.Shape)} cannot be told: " +
                    "neither has it a name, nor is it the second factor of a product to which a tensor ….bias is added.");
            }

            Add(tensor, isNamed ? tensor.Name : matrix.Name!, isMatrix && matrix.IsTransposed);
        }
    }

    private void Add(OnnxTensor tensor, string name, bool isTransposed)
    {
        if (tensor.Elements > int.MaxValue / sizeof(float))
            throw OnnxGraph.Damaged(Name, $"tensor {tensor.Name} has {tensor.Elements} elements");
        int[] shape = isTransposed ? [tensor.Shape[1], tensor.Shape[0]] : tensor.Shape;
        if (!_tensors.TryAdd(name, new TensorInfo(name, TensorType.F32, shape, tensor.Elements, tensor.Start)))
            throw OnnxGraph.Damaged(Name, $"it has two tensors for {name}, one of them {tensor.Name}");
        if (isTransposed)
            _transposed.Add(name);
    }

    /// <summary>Constant second factors of products: the name that the bias gives them, if any, and whether they are [in, out].</summary>
    private Dictionary<string, (string? Name, bool IsTransposed)> FindMatrices(
        OnnxGraph graph, Dictionary<string, OnnxTensor> constants)
    {
        var biases = new Dictionary<string, string>();
        foreach (var node in graph.Nodes.Where(node => node.Operator == "Add" && node.Inputs.Count == 2))
        {
            for (var i = 0; i < 2; i++)
            {
                var (bias, sum) = (node.Inputs[i], node.Inputs[1 - i]);
                if (IsBias(bias) && !biases.TryAdd(sum, bias) && biases[sum] != bias)
                    throw OnnxGraph.Damaged(Name, $"both {biases[sum]} and {bias} are added to {sum}");
            }
        }

        var matrices = new Dictionary<string, (string? Name, bool IsTransposed)>();
        foreach (var node in graph.Nodes.Where(node => node.Operator is "MatMul" or "Gemm" && node.Inputs.Count >= 2))
        {
            if (!constants.TryGetValue(node.Inputs[1], out var tensor) || tensor.Shape.Length != 2)
                continue;
            var isGemm = node.Operator == "Gemm";
            var bias = isGemm
                ? node.Inputs.Count > 2 && IsBias(node.Inputs[2]) ? node.Inputs[2] : null
                : node.Outputs.Count == 1 ? biases.GetValueOrDefault(node.Outputs[0]) : null;
            var name = bias is null ? null : bias[..^BiasEnd.Length] + WeightEnd;
            var matrix = (Name: name, IsTransposed: !(isGemm && node.IsSecondTransposed));
            var outputs = tensor.Shape[matrix.IsTransposed ? 1 : 0];
            if (bias is not null && !constants[bias].Shape.AsSpan().SequenceEqual([outputs]))
            {
                throw OnnxGraph.Damaged(
                    Name,
                    $"tensor {tensor.Name} of shape {TensorInfo.TextOf(tensor.Shape)} has a bias of shape " +
                    TensorInfo.TextOf(constants[bias].Shape));
            }

            if (!matrices.TryAdd(tensor.Name, matrix) && matrices[tensor.Name] != matrix)
                throw OnnxGraph.Damaged(Name, $"tensor {tensor.Name} is the matrix of {matrices[tensor.Name].Name} and of {matrix.Name}");
        }

        return matrices;

        bool IsBias(string input) => input.EndsWith(BiasEnd, StringComparison.Ordinal) && constants.ContainsKey(input);
    }
}
