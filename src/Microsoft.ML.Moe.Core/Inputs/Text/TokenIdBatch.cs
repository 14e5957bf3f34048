using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Texts as the ids of a published tokenizer, packed for one forward pass.</summary>
internal sealed class TokenIdBatch : Batch
{
    private ReadOnlyMemory<int> _ids;
    private ReadOnlyMemory<int> _types;
    private IReadOnlyList<EncodedText> _rows = [];
    private DecoderTargets? _targets;

    /// <summary>Id of each of T tokens, padding included.</summary>
    public ReadOnlySpan<int> Ids => _ids.Span;

    /// <summary>Type of each token, 0 for those of the first text; empty where all are 0.</summary>
    public ReadOnlySpan<int> Types => _types.Span;

    /// <summary>The <see cref="PairCounts"/> of a row.</summary>
    public ReadOnlySpan<float> CountsOf(int row) => _rows[row].Linear is { Counts.Length: > 0 } linear
        ? linear.Counts
        : throw new InvalidOperationException("The text was encoded by the input of another model.");

    /// <summary>
    /// Positions of the tokens within their rows where they are not as the architecture counts them; empty where they are.
    /// </summary>
    public ReadOnlyMemory<int> Positions { get; init; }

    /// <summary>
    /// The tokens that a causal model is to tell, padding left out: the row of the batch of the token before each, and the token.
    /// </summary>
    public (int[] Rows, int[] Targets) NextTokens()
    {
        var (rows, targets) = (new List<int>(), new List<int>());
        for (var sequence = 0; sequence < Layout.Sequences; sequence++)
        {
            var start = Layout.Offsets[sequence];
            var first = start + (sequence < _rows.Count ? _rows[sequence].Ids!.FirstTarget : 1);
            for (var token = first; token < Layout.Offsets[sequence + 1]; token++)
            {
                if (!Layout.IsToken(token))
                    continue;
                rows.Add(token - 1);
                targets.Add(Ids[token]);
            }
        }

        return ([.. rows], [.. targets]);
    }

    /// <summary>What a decoder is to write to each row.</summary>
    /// <param name="start">Id of its start token.</param>
    /// <param name="padding">Id that it reads in place of a target that is not counted.</param>
    public DecoderTargets Targets(int start, int padding) =>
        _targets ??= DecoderTargets.Of([.. _rows.Select(row => row.Ids!.Targets ?? [])], start, padding);

    /// <summary>Makes this another batch; see the properties.</summary>
    /// <param name="layout">Where each sequence lies.</param>
    /// <param name="ids"><see cref="Ids"/>.</param>
    /// <param name="types"><see cref="Types"/>.</param>
    /// <param name="rows">What <see cref="CountsOf"/> tells of; null where no one asks.</param>
    /// <returns>This batch.</returns>
    public TokenIdBatch Reset(
        SequenceLayout layout, ReadOnlyMemory<int> ids, ReadOnlyMemory<int> types, IReadOnlyList<EncodedText>? rows = null)
    {
        (Layout, _ids, _types, _rows, _targets) = (layout, ids, types, rows ?? [], null);
        return this;
    }
}
