using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Packs texts that are ids of a published tokenizer.</summary>
/// <param name="packing">What the rest of the model asks of batches.</param>
/// <param name="paddingId">Id of padding.</param>
internal sealed class TokenIdPacker(Packing packing, int paddingId) : Packer<EncodedText>
{
    private readonly TokenIdBatch _batch = new();
    private readonly SequenceLayout _layout = new();
    private int[] _lengths = [];
    private int[] _ids = [];
    private int[] _types = [];

    /// <inheritdoc/>
    public override TokenIdBatch Pack(IReadOnlyList<EncodedText> rows, Random? random = null, bool withNoise = false)
    {
        if (_lengths.Length < rows.Count)
            _lengths = new int[rows.Count];
        var (longest, hasTypes) = (0, false);
        for (var i = 0; i < rows.Count; i++)
        {
            _lengths[i] = rows[i].Length;
            longest = Math.Max(longest, _lengths[i]);
            hasTypes |= IdsOf(rows[i]).Types is not null;
        }

        var layout = packing.KeepsLayouts ? new SequenceLayout() : _layout;
        layout.Reset(_lengths.AsSpan(0, rows.Count), packing.PadToLongest ? longest : 0);
        var tokens = layout.Tokens;
        if (_ids.Length < tokens)
            (_ids, _types) = (new int[Math.Max(tokens, 2 * _ids.Length)], new int[Math.Max(tokens, 2 * _ids.Length)]);
        for (var i = 0; i < rows.Count; i++)
        {
            var row = layout.Offsets[i]..layout.Offsets[i + 1];
            var text = IdsOf(rows[i]);
            Fill(_ids.AsSpan(row), text.Ids, paddingId);
            Fill(_types.AsSpan(row), text.Types ?? [], 0);
        }

        _batch.Seed = withNoise && random is not null ? (ulong)random.NextInt64() : 0;
        return _batch.Reset(layout, _ids.AsMemory(0, tokens), hasTypes ? _types.AsMemory(0, tokens) : default);
    }

    private static TokenIds IdsOf(EncodedText text) =>
        text.Ids ?? throw new InvalidOperationException("The text was encoded by the input of another model.");

    private static void Fill(Span<int> row, ReadOnlySpan<int> values, int padding)
    {
        values.CopyTo(row);
        row[values.Length..].Fill(padding);
    }
}
