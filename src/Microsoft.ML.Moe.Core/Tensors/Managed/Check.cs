using System.Runtime.CompilerServices;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Argument checks of operations, made before any memory is touched.</summary>
internal static class Check
{
    /// <summary>A shape as text: [3, 4].</summary>
    public static string Text(ReadOnlySpan<int> shape) => $"[{string.Join(", ", shape.ToArray())}]";

    public static void Rank(Tensor tensor, int rank, [CallerArgumentExpression(nameof(tensor))] string name = "")
    {
        if (tensor.Rank != rank)
            throw new ArgumentException($"{name} must have {rank} dimensions but is {Text(tensor.Shape)}.", name);
    }

    public static void AtLeastRank(Tensor tensor, int rank, [CallerArgumentExpression(nameof(tensor))] string name = "")
    {
        if (tensor.Rank < rank)
            throw new ArgumentException($"{name} must have at least {rank} dimensions but is {Text(tensor.Shape)}.", name);
    }

    public static void Shape(Tensor tensor, ReadOnlySpan<int> shape, [CallerArgumentExpression(nameof(tensor))] string name = "")
    {
        if (!tensor.Shape.SequenceEqual(shape))
            throw new ArgumentException($"{name} must be {Text(shape)} but is {Text(tensor.Shape)}.", name);
    }

    /// <summary>A packed [T, …] matrix that fits a layout.</summary>
    public static void Tokens(Tensor tensor, SequenceLayout layout, [CallerArgumentExpression(nameof(tensor))] string name = "")
    {
        Rank(tensor, 2, name);
        if (tensor.Shape[0] != layout.Tokens)
            throw new ArgumentException($"{name} is {Text(tensor.Shape)} but the layout has {layout.Tokens} tokens.", name);
    }

    public static void Indices(
        ReadOnlySpan<int> indices, int count, [CallerArgumentExpression(nameof(indices))] string name = "")
    {
        for (var i = 0; i < indices.Length; i++)
        {
            if ((uint)indices[i] >= (uint)count)
                throw new ArgumentOutOfRangeException(name, indices[i], $"Number {i} of {name} is not within [0, {count}).");
        }
    }

    /// <summary>Numbers that start at 0, never fall, and end at <paramref name="last"/>.</summary>
    public static void Offsets(ReadOnlySpan<int> offsets, int last, [CallerArgumentExpression(nameof(offsets))] string name = "")
    {
        for (var i = 1; i < offsets.Length; i++)
        {
            if (offsets[i] < offsets[i - 1])
                throw new ArgumentException($"{name} falls from {offsets[i - 1]} to {offsets[i]}.", name);
        }

        if (offsets.Length == 0 || offsets[0] != 0 || offsets[^1] != last)
            throw new ArgumentException($"{name} must go from 0 to {last}.", name);
    }

    /// <summary>A plan whose pairs lie within its tokens and experts.</summary>
    public static void Plan(RoutingPlan plan)
    {
        Offsets(plan.ExpertOffsets, plan.Pairs, nameof(plan));
        Indices(plan.PairTokens, plan.Tokens, nameof(plan));
    }

    /// <summary>A rate within [0, 1).</summary>
    public static void Rate(float rate, [CallerArgumentExpression(nameof(rate))] string name = "")
    {
        if (!(rate >= 0f && rate < 1f))
            throw new ArgumentOutOfRangeException(name, rate, $"{name} must be within [0, 1).");
    }
}
