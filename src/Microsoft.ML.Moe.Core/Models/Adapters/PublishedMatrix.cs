using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Models.Adapters;

/// <summary>
/// A matrix as a published model has it, whose outputs are columns of a parameter of ours: all of it, or some of its outputs (a part of fused
/// queries, keys and values). Of experts' stacked parameters there is one for each expert, tensors of their own or together in one.
/// </summary>
/// <param name="Tensors">Names of the tensors: one, or one for each expert.</param>
/// <param name="Experts">Number of experts; 0 of a parameter that is no stack.</param>
/// <param name="Inputs">Its inputs, which are those of the parameter.</param>
/// <param name="Outputs">Its outputs.</param>
/// <param name="FirstColumn">Where its columns begin in the parameter.</param>
/// <param name="OutputOfColumn">Which of its outputs each of those columns is.</param>
internal sealed record PublishedMatrix(
    IReadOnlyList<string> Tensors, int Experts, int Inputs, int Outputs, int FirstColumn, int[] OutputOfColumn)
{
    private const string WeightName = ".weight";

    /// <summary>Whether one tensor has the matrices of all experts.</summary>
    public bool IsStack => Experts > 0 && Tensors.Count == 1;

    /// <summary>Whether the parameter has all of its outputs.</summary>
    public bool IsWhole => OutputOfColumn.Length == Outputs;

    /// <summary>Names of the modules that the tensors are the weights of; of other tensors their own names.</summary>
    public IEnumerable<string> Modules => Tensors.Select(ModuleOf);

    /// <summary>Name of the module that a tensor is the weight of; of another tensor its own name.</summary>
    public static string ModuleOf(string tensor) => tensor.EndsWith(WeightName, StringComparison.Ordinal) ? tensor[..^WeightName.Length] : tensor;

    /// <summary>The matrices that a parameter's columns belong to, in their order, for one form of a checkpoint.</summary>
    /// <param name="block">What the parameter is made of: [I, O] or [E, I, O].</param>
    /// <param name="prefix">What stands before the tensors' names.</param>
    /// <returns>null where the columns are no outputs of matrices with the same inputs.</returns>
    public static IReadOnlyList<PublishedMatrix>? Of(TensorBlock block, string prefix)
    {
        var rank = block.Shape.Length;
        if (rank is not (2 or 3))
            return null;
        var (experts, inputs) = (rank == 3 ? block.Shape[0] : 0, block.Shape[^2]);
        var found = new List<(int Expert, PublishedMatrix Matrix)>();
        foreach (var piece in block.Pieces)
        {
            if (Of(piece, experts, inputs, prefix) is not { } matrix)
                return null;
            found.Add((rank == 3 && piece.Tensor!.Shape.Length == 2 ? piece.Start[0] : -1, matrix));
        }

        if (rank == 2 || found.All(f => f.Expert < 0))
            return [.. found.Select(f => f.Matrix).OrderBy(m => m.FirstColumn)];
        // tensors of their own: one for each expert, all alike
        var first = found[0].Matrix;
        return found.Select(f => f.Expert).SequenceEqual(Enumerable.Range(0, experts)) && found.All(f => f.Matrix.IsLike(first))
            ? [first with { Tensors = [.. found.SelectMany(f => f.Matrix.Tensors)] }]
            : null;
    }

    private bool IsLike(PublishedMatrix other) => (Inputs, Outputs, FirstColumn) == (other.Inputs, other.Outputs, other.FirstColumn)
        && OutputOfColumn.AsSpan().SequenceEqual(other.OutputOfColumn);

    private static PublishedMatrix? Of(TensorBlock.Piece piece, int experts, int inputs, string prefix)
    {
        if (piece.Tensor is not { Shape: [.., var rows, var columns] } tensor || tensor.Shape.Length > 3)
            return null;
        var (inputAxis, size) = (piece.Start.Length - 2, (long)rows * columns);
        var isStacked = tensor.Shape.Length == 3;
        if (isStacked && !(experts == tensor.Shape[0] && piece.Dimensions.Any(d => d.Axis == 0 && d.Size == experts && d.SourceStride == size)))
            return null;
        if (!isStacked && piece.Start.Length == 3 && piece.Dimensions.Any(d => d.Axis == 0))
            return null;

        // torch has [outputs, inputs]; some models, as this library, the transpose of it
        var ofInputs = PlacesOf(piece, inputAxis);
        var isTransposed = inputs == columns && Runs(ofInputs, inputs, 1);
        if (!isTransposed && !(inputs == rows && Runs(ofInputs, inputs, columns)))
            return null;
        var ofOutputs = PlacesOf(piece, inputAxis + 1);
        var firstColumn = ofOutputs[0].Place;
        if (!ofOutputs.Select(p => p.Place).SequenceEqual(Enumerable.Range(firstColumn, ofOutputs.Count)))
            return null;
        int[] outputs = [.. ofOutputs.Select(p => (int)((piece.First + p.Offset) % size / (isTransposed ? columns : 1)))];
        return new PublishedMatrix([prefix + tensor.Name], experts, inputs, isTransposed ? rows : columns, firstColumn, outputs);
    }

    private static bool Runs(List<(int Place, long Offset)> places, int count, int stride) =>
        places.Count == count && places.Index().All(p => p.Item.Place == p.Index && p.Item.Offset == (long)p.Index * stride);

    /// <summary>The places along an axis of the block that a piece fills, ascending, and their distances in the tensor from the first element.</summary>
    private static List<(int Place, long Offset)> PlacesOf(TensorBlock.Piece piece, int axis)
    {
        List<(int Place, long Offset)> places = [(piece.Start[axis], 0L)];
        foreach (var dimension in piece.Dimensions.Where(d => d.Axis == axis))
        {
            places = [.. places.SelectMany(p => Enumerable.Range(0, dimension.Size).Select(
                i => (p.Place + i * dimension.Step, p.Offset + i * dimension.SourceStride)))];
        }

        places.Sort();
        return places;
    }
}
