using Google.Protobuf;
using Microsoft.ML.Moe.Onnx.Format;
using AttributeType = Microsoft.ML.Moe.Onnx.Format.AttributeProto.Types.AttributeType;
using DataType = Microsoft.ML.Moe.Onnx.Format.TensorProto.Types.DataType;

namespace Microsoft.ML.Moe.Onnx.Graph;

/// <summary>Collects the nodes, constants, inputs and outputs of a graph; its operations are in the other part.</summary>
internal sealed partial class GraphBuilder
{
    /// <summary>Version of ONNX's operators that graphs are made of.</summary>
    public const int Operators = 17;

    /// <summary>Domain of the operators that ONNX Runtime adds.</summary>
    public const string MicrosoftDomain = "com.microsoft";

    private readonly GraphProto _graph = new() { Name = "model" };
    private readonly Dictionary<string, Value> _constants = [];
    private readonly Dictionary<string, int> _counts = [];

    /// <summary>Constants, in order of creation.</summary>
    public List<Initializer> Initializers { get; } = [];

    /// <summary>Whether an operator of ONNX Runtime's own is among the nodes.</summary>
    public bool UsesMicrosoftDomain { get; private set; }

    /// <summary>The graph without its constants.</summary>
    public GraphProto Graph => _graph;

    /// <summary>Adds an input.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="type">Type of its elements.</param>
    /// <param name="shape">Sizes, whole numbers, or names of those that are known when the graph runs.</param>
    public Value Input(string name, DataType type, params ReadOnlySpan<object> shape)
    {
        _graph.Input.Add(Info(name, type, shape));
        return new Value(name);
    }

    /// <summary>Gives a value out.</summary>
    /// <param name="value">The value.</param>
    /// <param name="name">Name of the output.</param>
    /// <param name="type">Type of its elements.</param>
    /// <param name="shape">See <see cref="Input"/>.</param>
    public void Output(Value value, string name, DataType type, params ReadOnlySpan<object> shape)
    {
        Emit("Identity", [value], [name], []);
        _graph.Output.Add(Info(name, type, shape));
    }

    /// <summary>Takes out what no output depends on.</summary>
    public void RemoveUnused()
    {
        var used = _graph.Output.Select(output => output.Name).ToHashSet();
        for (var node = _graph.Node.Count - 1; node >= 0; node--)
        {
            if (_graph.Node[node].Output.Any(used.Contains))
                used.UnionWith(_graph.Node[node].Input);
            else
                _graph.Node.RemoveAt(node);
        }

        Initializers.RemoveAll(constant => !used.Contains(constant.Name));
    }

    /// <summary>Constant numbers of a parameter, under its name.</summary>
    /// <param name="name">The parameter's name.</param>
    /// <param name="shape">Sizes of the dimensions.</param>
    /// <param name="parts">See <see cref="Initializer.Of(string, long[], IEnumerable{ReadOnlyMemory{float}})"/>.</param>
    public Value Constant(string name, long[] shape, IEnumerable<ReadOnlyMemory<float>> parts)
    {
        var constant = new Value(Unique(name, isOwnName: true));
        Initializers.Add(Initializer.Of(constant.Name, shape, parts));
        return constant;
    }

    /// <summary>Constant numbers in single precision.</summary>
    public Value Floats(float[] values, params long[] shape) => Constant("floats", shape, [values]);

    /// <summary>Constant numbers in double precision.</summary>
    public Value Doubles(double[] values, params long[] shape)
    {
        var constant = new Value(Unique("doubles"));
        Initializers.Add(Initializer.Of(constant.Name, shape, values));
        return constant;
    }

    /// <summary>One number in single precision, without dimensions; made once.</summary>
    public Value Number(float value) => Once(FormattableString.Invariant($"float {value:R}"), () => Floats([value]));

    /// <summary>One number in double precision, without dimensions; made once.</summary>
    public Value Double(double value) => Once(FormattableString.Invariant($"double {value:R}"), () => Doubles([value]));

    /// <summary>One whole number, without dimensions; made once.</summary>
    public Value Whole(long value) => Once(FormattableString.Invariant($"int64 {value}"), () => Integers([value]));

    /// <summary>A vector of whole numbers: a shape, say; made once.</summary>
    public Value Vector(params long[] values) => Once($"[{string.Join(' ', values)}]", () => Integers(values, values.Length));

    /// <summary>Constant whole numbers.</summary>
    public Value Integers(long[] values, params long[] shape)
    {
        var constant = new Value(Unique("integers"));
        Initializers.Add(Initializer.Of(constant.Name, shape, values));
        return constant;
    }

    /// <summary>A node of one output.</summary>
    /// <param name="operation">Its operator.</param>
    /// <param name="inputs">What it reads; null for an argument that is left out.</param>
    /// <param name="attributes">Its settings.</param>
    public Value Node(string operation, ReadOnlySpan<Value?> inputs, params ReadOnlySpan<AttributeProto> attributes)
    {
        var name = Unique(operation);
        Emit(operation, inputs, [name], attributes);
        return new Value(name);
    }

    /// <summary>A node of two outputs.</summary>
    public (Value First, Value Second) NodeOfTwo(
        string operation, ReadOnlySpan<Value?> inputs, params ReadOnlySpan<AttributeProto> attributes)
    {
        var (first, second) = (Unique(operation), Unique(operation));
        Emit(operation, inputs, [first, second], attributes);
        return (new Value(first), new Value(second));
    }

    /// <summary>A node of an operator that ONNX Runtime adds.</summary>
    public Value MicrosoftNode(string operation, ReadOnlySpan<Value?> inputs, params ReadOnlySpan<AttributeProto> attributes)
    {
        var name = Unique(operation);
        Emit(operation, inputs, [name], attributes).Domain = MicrosoftDomain;
        UsesMicrosoftDomain = true;
        return new Value(name);
    }

    /// <summary>A setting that is a whole number.</summary>
    public static AttributeProto Setting(string name, long value) => new() { Name = name, I = value, Type = AttributeType.Int };

    /// <summary>A setting that is a number.</summary>
    public static AttributeProto Setting(string name, float value) => new() { Name = name, F = value, Type = AttributeType.Float };

    /// <summary>A setting that is a text.</summary>
    public static AttributeProto Setting(string name, string value) =>
        new() { Name = name, S = ByteString.CopyFromUtf8(value), Type = AttributeType.String };

    /// <summary>A setting of several whole numbers.</summary>
    public static AttributeProto Setting(string name, params ReadOnlySpan<long> values) =>
        new() { Name = name, Ints = { values.ToArray() }, Type = AttributeType.Ints };

    private NodeProto Emit(
        string operation, ReadOnlySpan<Value?> inputs, ReadOnlySpan<string> outputs, ReadOnlySpan<AttributeProto> attributes)
    {
        var node = new NodeProto { OpType = operation, Name = $"node_{_graph.Node.Count}_{operation}" };
        foreach (var input in inputs)
            node.Input.Add(input?.Name ?? "");
        foreach (var output in outputs)
            node.Output.Add(output);
        foreach (var attribute in attributes)
            node.Attribute.Add(attribute);
        _graph.Node.Add(node);
        return node;
    }

    private Value Once(string key, Func<Value> make)
    {
        if (!_constants.TryGetValue(key, out var value))
            _constants.Add(key, value = make());
        return value;
    }

    /// <summary>A name that no other value has: the first of a parameter keeps its own.</summary>
    private string Unique(string name, bool isOwnName = false)
    {
        var count = _counts[name] = _counts.GetValueOrDefault(name) + 1;
        return isOwnName && count == 1 ? name : $"{name}_{count}";
    }

    private static ValueInfoProto Info(string name, DataType type, ReadOnlySpan<object> shape)
    {
        var sizes = new TensorShapeProto();
        foreach (var size in shape)
        {
            sizes.Dim.Add(size is string unknown
                ? new TensorShapeProto.Types.Dimension { DimParam = unknown }
                : new TensorShapeProto.Types.Dimension { DimValue = (int)size });
        }

        return new ValueInfoProto
        {
            Name = name,
            Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = sizes } },
        };
    }
}
