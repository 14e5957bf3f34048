using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Packs texts that are ids of a published tokenizer.</summary>
/// <param name="packing">What the rest of the model asks of batches.</param>
/// <param name="config">Id of padding, and sequences of a row.</param>
internal sealed class TokenIdPacker(Packing packing, PublishedTextInputConfig config) : Packer<EncodedText>
{
    private readonly TokenIdBatch _batch = new();
    private readonly SequenceLayout _layout = new();
    private int[] _lengths = [];
    private int[] _ids = [];
    private int[] _types = [];

    /// <inheritdoc/>
    public override TokenIdBatch Pack(IReadOnlyList<EncodedText> rows, Random? random = null, bool withNoise = false)
    {
        var windows = config.Windows == TextWindows.Whole ? 1 : 2;
        var sequences = windows * rows.Count;
        if (_lengths.Length < sequences)
            _lengths = new int[sequences];
        var (longest, hasTypes) = (0, false);
        for (var i = 0; i < rows.Count; i++)
        {
            var text = IdsOf(rows[i]);
            if (text.SecondWindow > 0 != windows > 1)
                throw new InvalidOperationException("The text was encoded by the input of another model.");
            _lengths[windows * i] = windows > 1 ? text.SecondWindow : text.Ids.Length;
            if (windows > 1)
                _lengths[2 * i + 1] = text.Ids.Length - text.SecondWindow;
            hasTypes |= text.Types is not null;
        }

        foreach (var length in _lengths.AsSpan(0, sequences))
            longest = Math.Max(longest, length);

        var layout = packing.KeepsLayouts ? new SequenceLayout() : _layout;
        layout.Reset(_lengths.AsSpan(0, sequences), packing.PadToLongest ? longest : 0, config.PadsLeft);
        layout.SequencesOfRow = windows;
        var tokens = layout.Tokens;
        if (_ids.Length < tokens)
            (_ids, _types) = (new int[Math.Max(tokens, 2 * _ids.Length)], new int[Math.Max(tokens, 2 * _ids.Length)]);
        for (var i = 0; i < sequences; i++)
        {
            var row = layout.Offsets[i]..layout.Offsets[i + 1];
            var text = IdsOf(rows[i / windows]);
            var start = i % windows == 0 ? 0 : text.SecondWindow;
            var part = start..(start + _lengths[i]);
            Fill(_ids.AsSpan(row), text.Ids.AsSpan(part), config.PaddingId, config.PadsLeft);
            Fill(_types.AsSpan(row), text.Types is { } types ? types.AsSpan(part) : [], 0, config.PadsLeft);
        }

        _batch.Seed = withNoise && random is not null ? (ulong)random.NextInt64() : 0;
        return _batch.Reset(layout, _ids.AsMemory(0, tokens), hasTypes ? _types.AsMemory(0, tokens) : default, rows);
    }

    private static TokenIds IdsOf(EncodedText text) =>
        text.Ids ?? throw new InvalidOperationException("The text was encoded by the input of another model.");

    private static void Fill(Span<int> row, ReadOnlySpan<int> values, int padding, bool padsLeft)
    {
        row.Fill(padding);
        values.CopyTo(padsLeft ? row[^values.Length..] : row);
    }
}
