using System.Runtime.CompilerServices;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>Argument checks of <see cref="Tape"/>'s operations: messages name the operation that asks and the argument.</summary>
internal static class Check
{
    /// <summary>A shape as text: [3, 4].</summary>
    public static string Text(ReadOnlySpan<int> shape) => $"[{string.Join(", ", shape.ToArray())}]";

    /// <summary>A type of elements as text.</summary>
    public static string Text(ElementType type) => type switch
    {
        ElementType.BFloat16 => "bfloat16",
        ElementType.Int8 => "int8",
        _ => "single precision",
    };

    public static void Rank(
        Tensor tensor,
        int rank,
        [CallerArgumentExpression(nameof(tensor))] string name = "",
        [CallerMemberName] string operation = "")
    {
        if (tensor.Rank != rank)
            throw new ArgumentException($"{operation}: {name} must have {rank} dimensions but is {Text(tensor.Shape)}.", name);
    }

    public static void AtLeastRank(
        Tensor tensor,
        int rank,
        [CallerArgumentExpression(nameof(tensor))] string name = "",
        [CallerMemberName] string operation = "")
    {
        if (tensor.Rank < rank)
            throw new ArgumentException($"{operation}: {name} must have at least {rank} dimensions but is {Text(tensor.Shape)}.", name);
    }

    public static void Shape(
        Tensor tensor,
        ReadOnlySpan<int> shape,
        [CallerArgumentExpression(nameof(tensor))] string name = "",
        [CallerMemberName] string operation = "")
    {
        if (!tensor.Shape.SequenceEqual(shape))
            throw new ArgumentException($"{operation}: {name} must be {Text(shape)} but is {Text(tensor.Shape)}.", name);
    }

    /// <summary>A packed [T, …] matrix that fits a layout.</summary>
    public static void Tokens(
        Tensor tensor,
        SequenceLayout layout,
        [CallerArgumentExpression(nameof(tensor))] string name = "",
        [CallerMemberName] string operation = "")
    {
        Rank(tensor, 2, name, operation);
        if (tensor.Shape[0] != layout.Tokens)
            throw new ArgumentException($"{operation}: {name} is {Text(tensor.Shape)} but the layout has {layout.Tokens} tokens.", name);
    }

    /// <summary>As many values as a shape asks for.</summary>
    public static void Length(int values, ReadOnlySpan<int> shape, string name, [CallerMemberName] string operation = "")
    {
        var length = 1L;
        foreach (var size in shape)
            length = checked(length * size);
        if (length != values)
            throw new ArgumentException($"{operation}: {values} values for a tensor {Text(shape)}.", name);
    }

    /// <summary>Numbers within [0, count).</summary>
    public static void Indices(
        ReadOnlySpan<int> indices,
        int count,
        [CallerArgumentExpression(nameof(indices))] string name = "",
        [CallerMemberName] string operation = "")
    {
        for (var i = 0; i < indices.Length; i++)
        {
            if ((uint)indices[i] >= (uint)count)
            {
                throw new ArgumentOutOfRangeException(
                    name, indices[i], $"{operation}: number {i} of {name} is not within [0, {count}).");
            }
        }
    }

    /// <summary>Numbers that start at 0, never fall, and end at <paramref name="last"/>.</summary>
    public static void Offsets(
        ReadOnlySpan<int> offsets,
        int last,
        [CallerArgumentExpression(nameof(offsets))] string name = "",
        [CallerMemberName] string operation = "")
    {
        for (var i = 1; i < offsets.Length; i++)
        {
            if (offsets[i] < offsets[i - 1])
                throw new ArgumentException($"{operation}: {name} falls from {offsets[i - 1]} to {offsets[i]}.", name);
        }

        if (offsets.Length == 0 || offsets[0] != 0 || offsets[^1] != last)
            throw new ArgumentException($"{operation}: {name} must go from 0 to {last}.", name);
    }

    /// <summary>A plan whose pairs lie within its tokens and experts. Pairs that are on a device were made there, within them.</summary>
    public static void Plan(RoutingPlan plan, [CallerMemberName] string operation = "")
    {
        if (plan.IsOnDevice)
            return;
        Offsets(plan.ExpertOffsets, plan.Pairs, nameof(plan), operation);
        Indices(plan.PairTokens, plan.Tokens, nameof(plan), operation);
    }

    /// <summary>Stacked weights of experts whose shapes fit each other, with an activation that exists.</summary>
    public static void Experts(Experts experts, [CallerMemberName] string operation = "")
    {
        Defined(experts.Activation, operation);
        Defined(experts.GateActivation, operation);
        Rank(experts.W1, 3, "experts.W1", operation);
        var (count, width, hidden) = (experts.Count, experts.Width, experts.HiddenWidth);
        Shape(experts.W2, [count, hidden, width], "experts.W2", operation);
        if (experts.B1 is not null)
            Shape(experts.B1, [count, hidden], "experts.B1", operation);
        if (experts.B2 is not null)
            Shape(experts.B2, [count, width], "experts.B2", operation);
        if (experts.Gate is not null)
            Shape(experts.Gate, [count, width, hidden], "experts.Gate", operation);
        if (experts.GateBias is not null)
            Shape(experts.GateBias, [count, hidden], "experts.GateBias", operation);
        if (experts.Gate is null && (experts.GateBias is not null || experts.GateActivation != Activation.None))
            throw new ArgumentException($"{operation}: experts without a gate have neither a bias nor an activation of it.", nameof(experts));
    }

    /// <summary>Heads, at least 1, that divide some columns of a tensor.</summary>
    public static void Heads(
        Tensor tensor,
        int heads,
        int columns,
        [CallerArgumentExpression(nameof(tensor))] string name = "",
        [CallerArgumentExpression(nameof(heads))] string headsName = "",
        [CallerMemberName] string operation = "")
    {
        if (heads < 1)
            throw new ArgumentOutOfRangeException(headsName, heads, $"{operation}: {headsName} must be at least 1.");
        if (columns % heads != 0)
            throw new ArgumentException($"{operation}: {heads} heads do not divide the columns of {name} {Text(tensor.Shape)}.", name);
    }

    /// <summary>A rate within [0, 1).</summary>
    public static void Rate(
        float rate, [CallerArgumentExpression(nameof(rate))] string name = "", [CallerMemberName] string operation = "")
    {
        if (!(rate >= 0f && rate < 1f))
            throw new ArgumentOutOfRangeException(name, rate, $"{operation}: {name} must be within [0, 1).");
    }

    /// <summary>An activation that exists.</summary>
    public static void Defined(Activation activation, [CallerMemberName] string operation = "")
    {
        if ((uint)activation > (uint)Activation.ClampedIncrement)
            throw new ArgumentOutOfRangeException(nameof(activation), activation, $"{operation}: no such activation.");
    }
}
