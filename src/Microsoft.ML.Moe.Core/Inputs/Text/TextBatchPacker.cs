using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Packs texts. Padding is tokens of no features, at the positions that follow.</summary>
/// <param name="packing">What the rest of the model asks of batches.</param>
/// <param name="noise">Noise while training; null where there is no training.</param>
/// <param name="masking">Hides tokens for the model to guess; null for none.</param>
internal sealed class TextBatchPacker(Packing packing, TextNoise? noise = null, TokenMasking? masking = null) : Packer<EncodedText>
{
    private readonly TextBatch _batch = new();
    private readonly SequenceLayout _layout = new();
    private readonly BagBuilder _tokens = new();
    private int[] _lengths = [];
    private int[] _positions = [];
    private int[] _segments = [];
    private int[] _marks = [];

    /// <inheritdoc/>
    public override TextBatch Pack(IReadOnlyList<EncodedText> rows, Random? random = null, bool withNoise = false)
    {
        var masked = masking is null || random is null ? null : masking.Mask(rows, random);
        // drawn between what is hidden and the noise: the order decides what a training's seed gives
        var seed = withNoise && random is not null ? (ulong)random.NextInt64() : 0;
        NoiseSource? source = withNoise && noise is not null && random is not null ? new NoiseSource(random, noise) : null;
        var batch = Pack(rows, masked, source);
        (batch.Masked, batch.Seed) = (masked, seed);
        return batch;
    }

    private TextBatch Pack(IReadOnlyList<EncodedText> rows, MaskedTexts? masked, NoiseSource? source)
    {
        var layout = LayoutOf(rows);
        var tokens = layout.Tokens;
        if (_positions.Length < tokens)
        {
            _positions = new int[Math.Max(tokens, 2 * _positions.Length)];
            _segments = new int[_positions.Length];
            _marks = new int[_positions.Length];
        }

        _tokens.Clear(tokens);
        for (var i = 0; i < rows.Count; i++)
        {
            ReadOnlySpan<TokenFeatures> tokensOfRow = masked is null ? rows[i].Tokens : masked.TokensOf(i);
            for (var (position, token) = (0, layout.Offsets[i]); token < layout.Offsets[i + 1]; position++, token++)
            {
                var isToken = position < tokensOfRow.Length;
                _positions[token] = position;
                _segments[token] = isToken && position >= rows[i].SecondStart ? 1 : 0;
                _marks[token] = isToken && rows[i].IsShared(position) ? 1 : 0;
                if (isToken)
                    AddToken(_tokens, tokensOfRow[position], source);
                _tokens.EndBag();
            }
        }

        return _batch.Reset(
            layout, _tokens.Build(), _positions.AsMemory(0, tokens), _segments.AsMemory(0, tokens), _marks.AsMemory(0, tokens));
    }

    private SequenceLayout LayoutOf(IReadOnlyList<EncodedText> rows)
    {
        if (_lengths.Length < rows.Count)
            _lengths = new int[rows.Count];
        var longest = 0;
        for (var i = 0; i < rows.Count; i++)
        {
            _lengths[i] = rows[i].Length;
            longest = Math.Max(longest, _lengths[i]);
        }

        var layout = packing.KeepsLayouts ? new SequenceLayout() : _layout;
        layout.Reset(_lengths.AsSpan(0, rows.Count), packing.PadToLongest ? longest : 0);
        return layout;
    }

    private static void AddToken(BagBuilder bags, TokenFeatures token, NoiseSource? source)
    {
        if (token.Rows[0] >= TableTextInput.SpecialRows && source?.MasksToken() == true)
            token = TableTextInput.Masked;
        var parts = token.Rows.Length - 1;
        if (parts == 0 || source?.DropsWord() != true)
            bags.Add(token.Rows[0], 1f);
        for (var i = 1; i <= parts; i++)
            bags.Add(token.Rows[i], 1f / parts);
    }
}
