using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Tracing;
using DataType = Microsoft.ML.Moe.Onnx.Format.TensorProto.Types.DataType;

namespace Microsoft.ML.Moe.Onnx.Inputs;

/// <summary>Texts as ids of a published tokenizer, its special tokens among them.</summary>
internal sealed class TokenIdGraphInput : GraphInput
{
    private readonly GraphBuilder _graph;
    private readonly TokenIdBatch _batch;
    private readonly Value _ids;
    private readonly Value? _types;
    private readonly int? _paddingOfPositions;

    public TokenIdGraphInput(
        GraphBuilder graph, PublishedTextInput input, EncoderConfig encoder, bool isPair, IReadOnlyCollection<int> sizes)
    {
        _graph = graph;
        var config = input.Config;
        var windows = config.Windows == TextWindows.Whole ? 1 : 2;
        if (encoder is JetMoeConfig)
            throw Unsupported.Because("JetMoE's attention sends tokens to experts, which is not known to the export");
        _ids = TextGraphInputs.AddIntegers(graph, TextGraphInputs.Ids, windows);
        _types = isPair ? TextGraphInputs.AddIntegers(graph, TextGraphInputs.Types) : null;
        Rows = TextGraphInputs.AddMask(graph, TextGraphInputs.Longest(input.MaximumTokens, encoder), windows, sizes);
        var ids = new int[Rows.Tokens.Tokens];
        // none of them is padding, whose positions would be others
        Array.Fill(ids, config.PaddingId == 0 ? Math.Min(1, config.VocabularySize - 1) : 0);
        _paddingOfPositions = (encoder as PublishedConfig)?.PaddingOfPositions;
        _batch = new TokenIdBatch { Positions = _paddingOfPositions is null ? default : new int[ids.Length].AsMemory() }.Reset(Rows.Tokens, ids, isPair ? new int[ids.Length] : default);
    }

    /// <inheritdoc/>
    public override TracedRows Rows { get; }

    /// <inheritdoc/>
    public override Batch Batch => _batch;

    /// <inheritdoc/>
    public override void BindTo(OnnxTape tape)
    {
        tape.Bind(() => _batch.Ids, _graph.Reshape(_ids, -1));
        if (_types is { } types)
            tape.Bind(() => _batch.Types, _graph.Reshape(types, -1));
        if (_paddingOfPositions is { } padding)
            tape.Bind(() => _batch.Positions.Span, _graph.Reshape(Positions(padding), -1));
    }

    /// <summary>Positions that count the tokens that are no padding; a text can have some of it, too.</summary>
    private Value Positions(int padding)
    {
        var counts = _graph.Cast(_graph.Not(_graph.Equal(_ids, _graph.Whole(padding))), DataType.Int64);
        return _graph.Add(_graph.Multiply(counts, _graph.RunningSum(counts, axis: 1)), _graph.Whole(padding));
    }
}
