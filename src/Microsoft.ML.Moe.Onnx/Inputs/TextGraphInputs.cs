using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Tracing;
using Microsoft.ML.Moe.Tensors;
using DataType = Microsoft.ML.Moe.Onnx.Format.TensorProto.Types.DataType;

namespace Microsoft.ML.Moe.Onnx.Inputs;

/// <summary>
/// What graphs of texts have in common: tokens of B rows, filled to the length L of the longest, and the mask that tells them from padding.
/// </summary>
internal static class TextGraphInputs
{
    /// <summary>Ids of tokens, [B, L].</summary>
    public const string Ids = "input_ids";

    /// <summary>1 for tokens, 0 for the padding behind them, [B, L].</summary>
    public const string Mask = "attention_mask";

    /// <summary>0 for tokens of the first text of a pair, 1 for the second, [B, L].</summary>
    public const string Types = "token_type_ids";

    /// <summary>1 for tokens that occur in both texts of a pair, else 0, [B, L].</summary>
    public const string Shared = "shared_token_marks";

    /// <summary>Most tokens that a graph reads of a row, whatever the model can: constants for each position are in the file.</summary>
    private const int MostTokens = 8192;

    /// <summary>
    /// Tokens that a graph reads of a row: as many as the model does, as far as positions turn alike for rows of every length.
    /// </summary>
    /// <param name="maximumTokens">As many as the model does.</param>
    /// <param name="encoder">Its encoder.</param>
    public static int Longest(int maximumTokens, EncoderConfig encoder)
    {
        var alike = encoder switch
        {
            NomicBertConfig { RotaryScale: not null, TrainedPositions: var trained } => trained,
            PhiMoeConfig { LongRope: { } longRope } => longRope.TrainedPositions,
            _ => MostTokens,
        };
        return Math.Min(maximumTokens, Math.Min(alike, MostTokens));
    }

    /// <summary>Adds the mask.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="maximumTokens">Most tokens of a sequence.</param>
    /// <param name="windows">Sequences of each row.</param>
    /// <param name="sizes">Sizes of the model's parameters.</param>
    /// <returns>Traced rows of that many tokens, of which each sequence has other ones than padding.</returns>
    public static TracedRows AddMask(GraphBuilder graph, int maximumTokens, int windows, IEnumerable<int> sizes)
    {
        var mask = AddIntegers(graph, Mask, windows);
        // distances between tokens are numbered from −(L − 1) to L − 1
        var rows = TracedRows.CountFor([.. sizes, maximumTokens, 2 * maximumTokens - 1]);
        var count = windows * rows;
        var isToken = new bool[count * maximumTokens];
        for (var sequence = 0; sequence < count; sequence++)
            isToken.AsSpan(sequence * maximumTokens, Math.Max(1, maximumTokens - sequence)).Fill(true);
        int[] offsets = [.. Enumerable.Range(0, count + 1).Select(sequence => sequence * maximumTokens)];
        return new TracedRows
        {
            Count = rows,
            Windows = windows,
            Tokens = new SequenceLayout(offsets, isToken) { SequencesOfRow = windows },
            Runtime = graph.SizeOf(mask, 0),
            Length = graph.SizeOf(mask, 1),
            IsToken = graph.Greater(mask, graph.Whole(0)),
        };
    }

    /// <summary>Adds an input of whole numbers, one for each token.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="name">Its name.</param>
    /// <param name="windows">Sequences of each row.</param>
    /// <returns>[sequences, tokens].</returns>
    public static Value AddIntegers(GraphBuilder graph, string name, int windows = 1)
    {
        if (windows == 1)
            return graph.Input(name, DataType.Int64, "rows", "tokens");
        var ofRows = graph.Input(name, DataType.Int64, "rows", windows, "tokens");
        return graph.ReshapeTo(ofRows, graph.Concat(0, graph.Vector(-1), graph.SizeOf(ofRows, 2)));
    }
}
