namespace Microsoft.ML.Moe.Files;

/// <summary>An operation of an ONNX graph.</summary>
/// <param name="Operator">Its name, such as MatMul.</param>
/// <param name="Inputs">Names of what it reads, in order; "" for an input that is left out.</param>
/// <param name="Outputs">Names of what it gives.</param>
/// <param name="IsSecondTransposed">A Gemm's attribute transB.</param>
internal sealed record OnnxNode(string Operator, IReadOnlyList<string> Inputs, IReadOnlyList<string> Outputs, bool IsSecondTransposed);

/// <summary>A constant tensor of an ONNX graph.</summary>
/// <param name="Name">Its name; anything where the exporter folded an operation into it.</param>
/// <param name="Shape">Sizes of the dimensions, outermost first.</param>
/// <param name="Type">One of the numbers of <c>TensorProto.DataType</c>.</param>
/// <param name="Start">Where the elements begin in the model, row-major and little-endian; unknown unless single-precision.</param>
/// <param name="Elements">Product of the sizes, at most the largest <see cref="long"/>.</param>
internal sealed record OnnxTensor(string Name, int[] Shape, int Type, int Start, long Elements)
{
    /// <summary>Type of single-precision tensors.</summary>
    public const int Float = 1;

    // The types of token ids, shapes and masks, which are no weights: int32, int64, bool.
    private static readonly int[] Integers = [6, 7, 9];

    /// <summary>Whether it is none of a model's weights by its type.</summary>
    public bool IsInteger => Integers.Contains(Type);
}

/// <summary>
/// Nodes and constant tensors of an ONNX model, without the tensors' elements. Only the fields that say what a weight is are read; graphs
/// within nodes are not. Source: onnx/onnx, onnx.proto.
/// </summary>
internal sealed class OnnxGraph
{
    private const int MaximumRank = 8;
    private const int MaximumNodes = 1_000_000;
    private const int MaximumTensors = 100_000;
    private const int MaximumNames = 10_000;
    private readonly List<OnnxNode> _nodes = [];
    private readonly List<OnnxTensor> _tensors = [];

    private OnnxGraph()
    {
    }

    /// <summary>The operations, in the file's order.</summary>
    public IReadOnlyList<OnnxNode> Nodes => _nodes;

    /// <summary>The constant tensors.</summary>
    public IReadOnlyList<OnnxTensor> Tensors => _tensors;

    /// <summary>Reads a model.</summary>
    /// <param name="model">The file.</param>
    /// <param name="file">What errors call it.</param>
    /// <exception cref="InvalidDataException">
    /// It is no ONNX model or damaged, or has its weights in another file; the message says what is wrong.
    /// </exception>
    public static OnnxGraph Read(ReadOnlySpan<byte> model, string file)
    {
        OnnxGraph? result = null;
        var reader = new ProtobufReader(model, file);
        while (reader.Next())
        {
            if (reader.Field != 7)
                continue;
            if (result is not null)
                throw Damaged(file, "it has two graphs");
            result = new OnnxGraph();
            result.ReadGraph(reader.Message(), file);
        }

        return result ?? throw Damaged(file, "it has no graph");
    }

    /// <summary>The error for a file that cannot be read.</summary>
    public static InvalidDataException Damaged(string file, string what) => new($"{file} is damaged or no ONNX model: {what}.");

    private void ReadGraph(ProtobufReader reader, string file)
    {
        while (reader.Next())
        {
            if (reader.Field == 1)
                Add(_nodes, ReadNode(reader.Message(), file), MaximumNodes, "nodes", file);
            else if (reader.Field == 5)
                Add(_tensors, ReadTensor(reader.Message(), file), MaximumTensors, "initializers", file);
        }
    }

    private static OnnxNode ReadNode(ProtobufReader reader, string file)
    {
        List<string> inputs = [], outputs = [];
        var name = "";
        var isSecondTransposed = false;
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    Add(inputs, reader.Text(), MaximumNames, "inputs of a node", file);
                    break;
                case 2:
                    Add(outputs, reader.Text(), MaximumNames, "outputs of a node", file);
                    break;
                case 4:
                    name = reader.Text();
                    break;
                case 5:
                    isSecondTransposed |= IsTransposeB(reader.Message());
                    break;
            }
        }

        return new OnnxNode(name, inputs, outputs, isSecondTransposed);
    }

    private static bool IsTransposeB(ProtobufReader reader)
    {
        var isNamed = false;
        var value = 0L;
        while (reader.Next())
        {
            if (reader.Field == 1)
                isNamed = reader.Bytes().SequenceEqual("transB"u8);
            else if (reader.Field == 3)
                value = reader.Integer();
        }

        return isNamed && value != 0;
    }

    private static OnnxTensor ReadTensor(ProtobufReader reader, string file)
    {
        List<long> sizes = [];
        var (name, type, start, bytes, kind, pieces) = ("", 0L, 0, -1L, "raw data", 0);
        var isExternal = false;
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    reader.AddIntegers(sizes, MaximumRank);
                    break;
                case 2:
                    type = reader.Integer();
                    break;
                case 8:
                    name = reader.Text();
                    break;
                case 4:
                    // numbers in single precision, packed as raw data is
                    (start, bytes, kind) = (reader.Start, reader.Length, "float data");
                    pieces++;
                    break;
                case 9:
                    (start, bytes) = (reader.Start, reader.Bytes().Length);
                    pieces++;
                    break;
                case 14:
                    isExternal = reader.Integer() != 0;
                    break;
            }
        }

        if (isExternal)
            throw new InvalidDataException($"{file} has tensor {name} in another file, which is not read: save the model as one file.");
        if (sizes.Any(size => size is < 0 or > int.MaxValue) || type is < 0 or > byte.MaxValue)
            throw Damaged(file, $"tensor {name} has the type {type} and the shape [{string.Join(", ", sizes)}]");
        int[] shape = [.. sizes.Select(size => (int)size)];
        var elements = ElementsOf(shape);
        if (type == OnnxTensor.Float && pieces > 1)
            throw Damaged(file, $"the elements of tensor {name} are in {pieces} pieces, and only those in one are read");
        if (type == OnnxTensor.Float && bytes != (Int128)elements * sizeof(float))
        {
            throw Damaged(
                file,
                $"tensor {name} of shape {TensorInfo.TextOf(shape)} has {(bytes < 0 ? "no raw data" : $"{bytes} bytes of {kind}")}, " +
                $"not {(Int128)elements * sizeof(float)} bytes");
        }

        return new OnnxTensor(name, shape, (int)type, start, elements);
    }

    /// <summary>The product, where more than a <see cref="long"/> holds its largest value.</summary>
    private static long ElementsOf(int[] shape) => shape.Contains(0)
        ? 0
        : shape.Aggregate(1L, (product, size) => (long)Int128.Min((Int128)product * size, long.MaxValue));

    private static void Add<T>(List<T> list, T item, int most, string what, string file)
    {
        if (list.Count == most)
            throw Damaged(file, $"it has over {most} {what}");
        list.Add(item);
    }
}
