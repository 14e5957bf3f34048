using DataType = Microsoft.ML.Moe.Onnx.Format.TensorProto.Types.DataType;

namespace Microsoft.ML.Moe.Onnx.Graph;

// ONNX's operators as methods, with the arguments that an export gives them.
internal sealed partial class GraphBuilder
{
    public Value Add(Value left, Value right) => Node("Add", [left, right]);

    public Value Subtract(Value left, Value right) => Node("Sub", [left, right]);

    public Value Multiply(Value left, Value right) => Node("Mul", [left, right]);

    public Value Divide(Value left, Value right) => Node("Div", [left, right]);

    public Value Power(Value x, Value exponent) => Node("Pow", [x, exponent]);

    public Value Smaller(Value left, Value right) => Node("Min", [left, right]);

    public Value Larger(Value left, Value right) => Node("Max", [left, right]);

    public Value Less(Value left, Value right) => Node("Less", [left, right]);

    public Value LessOrEqual(Value left, Value right) => Node("LessOrEqual", [left, right]);

    public Value Greater(Value left, Value right) => Node("Greater", [left, right]);

    public Value GreaterOrEqual(Value left, Value right) => Node("GreaterOrEqual", [left, right]);

    public Value Equal(Value left, Value right) => Node("Equal", [left, right]);

    public Value And(Value left, Value right) => Node("And", [left, right]);

    public Value Not(Value x) => Node("Not", [x]);

    public Value Where(Value condition, Value yes, Value no) => Node("Where", [condition, yes, no]);

    /// <summary>A function of each element: Abs, Erf, Exp, IsNaN, Log, Neg, Relu, Sigmoid, Sqrt, Tanh …</summary>
    public Value Each(string function, Value x) => Node(function, [x]);

    public Value MatMul(Value left, Value right) => Node("MatMul", [left, right]);

    /// <summary>x·weight + bias of matrices.</summary>
    public Value Gemm(Value x, Value weight, Value bias) => Node("Gemm", [x, weight, bias]);

    public Value Softmax(Value x, int axis = -1) => Node("Softmax", [x], Setting("axis", axis));

    public Value Cast(Value x, DataType type) => Node("Cast", [x], Setting("to", (long)type));

    /// <summary>Another shape; a size of −1 is what the others leave, of 0 that of x.</summary>
    public Value Reshape(Value x, params long[] shape) => Node("Reshape", [x, Vector(shape)]);

    /// <summary>Another shape that is computed.</summary>
    public Value ReshapeTo(Value x, Value shape) => Node("Reshape", [x, shape]);

    public Value Transpose(Value x, params ReadOnlySpan<long> order) => Node("Transpose", [x], Setting("perm", order));

    public Value Unsqueeze(Value x, params long[] axes) => Node("Unsqueeze", [x, Vector(axes)]);

    public Value Squeeze(Value x, params long[] axes) => Node("Squeeze", [x, Vector(axes)]);

    public Value Concat(int axis, params ReadOnlySpan<Value> parts)
    {
        var inputs = new Value?[parts.Length];
        for (var i = 0; i < inputs.Length; i++)
            inputs[i] = parts[i];
        return Node("Concat", inputs, Setting("axis", axis));
    }

    public Value Gather(Value x, Value indices, int axis = 0) => Node("Gather", [x, indices], Setting("axis", axis));

    /// <summary>Columns [start, end) of a dimension.</summary>
    public Value Slice(Value x, Value start, Value end, int axis) => Node("Slice", [x, start, end, Vector(axis)]);

    /// <summary>As above, between fixed columns.</summary>
    public Value Slice(Value x, long start, long end, int axis) => Slice(x, Vector(start), Vector(end), axis);

    public Value Expand(Value x, Value shape) => Node("Expand", [x, shape]);

    public Value Shape(Value x) => Node("Shape", [x]);

    /// <summary>The size of one dimension, as a vector of one number.</summary>
    public Value SizeOf(Value x, int axis) => Node("Shape", [x], Setting("start", axis), Setting("end", axis + 1));

    /// <summary>0, 1, 2 … below a number without dimensions.</summary>
    public Value Range(Value end) => Node("Range", [Whole(0), end, Whole(1)]);

    public Value Sum(Value x, int axis, bool keeps = true) => Node("ReduceSum", [x, Vector(axis)], Setting("keepdims", keeps ? 1 : 0));

    /// <summary>Sums of the elements up to each.</summary>
    public Value RunningSum(Value x, long axis) => Node("CumSum", [x, Whole(axis)]);

    public Value Mean(Value x, int axis, bool keeps = true) =>
        Node("ReduceMean", [x], Setting("axes", [axis]), Setting("keepdims", keeps ? 1 : 0));

    public Value Largest(Value x, int axis, bool keeps = true) =>
        Node("ReduceMax", [x], Setting("axes", [axis]), Setting("keepdims", keeps ? 1 : 0));

    /// <summary>The k largest along an axis, the largest first, of equal ones the first first; and where they were.</summary>
    public (Value Values, Value Indices) TopK(Value x, Value k, int axis = -1) => NodeOfTwo("TopK", [x, k], Setting("axis", axis));

    /// <summary>Writes updates along an axis to the places that indices tell.</summary>
    public Value Scatter(Value x, Value indices, Value updates, int axis) =>
        Node("ScatterElements", [x, indices, updates], Setting("axis", axis));

    /// <summary>Adds rows to the rows that indices [N, 1] tell.</summary>
    public Value ScatterAdd(Value x, Value indices, Value rows) => Node("ScatterND", [x, indices, rows], Setting("reduction", "add"));

    /// <summary>Zeros of a shape that is computed.</summary>
    public Value Zeros(Value shape) => Expand(Number(0f), shape);

    public Value LayerNorm(Value x, Value gain, Value bias, float epsilon) =>
        Node("LayerNormalization", [x, gain, bias], Setting("axis", -1), Setting("epsilon", epsilon));
}
