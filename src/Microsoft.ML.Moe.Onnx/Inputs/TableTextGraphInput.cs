using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Tracing;
using Microsoft.ML.Moe.Tensors;
using DataType = Microsoft.ML.Moe.Onnx.Format.TensorProto.Types.DataType;

namespace Microsoft.ML.Moe.Onnx.Inputs;

/// <summary>
/// Texts as rows of a table that the model has learned. Subwords are one row each; a hashed word is a row of its own and the rows of its
/// n-grams, which C# computes, as ONNX has no such hash.
/// </summary>
internal sealed class TableTextGraphInput : GraphInput
{
    /// <summary>Rows of the table for each token, [B, L, R].</summary>
    public const string TableRows = "token_rows";

    /// <summary>How much each of them counts, [B, L, R]; 0 for those that fill up.</summary>
    public const string RowWeights = "token_row_weights";

    private readonly GraphBuilder _graph;
    private readonly TextBatch _batch;
    private readonly BoundBags _tokens;
    private readonly Value? _types;
    private readonly Value? _shared;

    public TableTextGraphInput(GraphBuilder graph, TableTextInput input, EncoderConfig encoder, bool isPair, IReadOnlyCollection<int> sizes)
    {
        _graph = graph;
        if (input is SubwordInput)
        {
            _tokens = BoundBags.OfOne(graph.Reshape(TextGraphInputs.AddIntegers(graph, TextGraphInputs.Ids), -1));
        }
        else
        {
            var rows = graph.Input(TableRows, DataType.Int64, "rows", "tokens", "parts");
            var weights = graph.Input(RowWeights, DataType.Float, "rows", "tokens", "parts");
            var parts = graph.Concat(0, graph.Vector(-1), graph.SizeOf(rows, 2));
            _tokens = BoundBags.OfSome(graph.ReshapeTo(rows, parts), graph.ReshapeTo(weights, parts));
        }

        if (isPair)
        {
            _types = TextGraphInputs.AddIntegers(graph, TextGraphInputs.Types);
            _shared = input.Config.MarksSharedTokens ? TextGraphInputs.AddIntegers(graph, TextGraphInputs.Shared) : null;
        }

        Rows = TextGraphInputs.AddMask(graph, TextGraphInputs.Longest(input.MaximumTokens, encoder), windows: 1, sizes);
        var tokens = Rows.Tokens.Tokens;
        var (positions, segments) = (new int[tokens], new int[tokens]);
        for (var i = 0; i < tokens; i++)
            positions[i] = i % Rows.TracedLength;
        // a batch has pairs where a token is of a second text
        Array.Fill(segments, isPair ? 1 : 0);
        var bags = new RaggedIndices([.. Enumerable.Range(0, tokens + 1)], new int[tokens], new float[tokens]);
        _batch = new TextBatch().Reset(Rows.Tokens, bags, positions, segments, new int[tokens]);
    }

    /// <inheritdoc/>
    public override TracedRows Rows { get; }

    /// <inheritdoc/>
    public override Batch Batch => _batch;

    /// <inheritdoc/>
    public override void BindTo(OnnxTape tape)
    {
        tape.Bind(_batch.Tokens, _tokens);
        if (_types is { } types)
            tape.Bind(() => _batch.Segments, _graph.Reshape(types, -1));
        if (_shared is { } shared)
            tape.Bind(() => _batch.Marks, _graph.Reshape(shared, -1));
    }
}
