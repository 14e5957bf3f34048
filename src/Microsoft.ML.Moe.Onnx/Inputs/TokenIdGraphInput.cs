using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Tracing;

namespace Microsoft.ML.Moe.Onnx.Inputs;

/// <summary>Texts as ids of a published tokenizer, its special tokens among them.</summary>
internal sealed class TokenIdGraphInput : GraphInput
{
    private readonly GraphBuilder _graph;
    private readonly TokenIdBatch _batch;
    private readonly Value _ids;
    private readonly Value? _types;

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
        _batch = new TokenIdBatch().Reset(Rows.Tokens, ids, isPair ? new int[ids.Length] : default);
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
    }
}
