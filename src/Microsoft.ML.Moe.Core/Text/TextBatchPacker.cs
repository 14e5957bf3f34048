using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Text;

/// <summary>
/// Packs batches one after the other into the same memory, so that each is good until the next is packed: for a training, whose steps
/// follow one another. For one thread.
/// </summary>
/// <param name="wideBits">Binary logarithm of the wide table's rows; 0 for none.</param>
/// <param name="padToLongest">
/// Whether each row is filled to the longest with padding, for routers that let it compete: tokens of no features, at the positions
/// that follow.
/// </param>
/// <param name="keepsLayouts">Whether a batch's layout stays as it is: for policies and observers of whom it is not known what they keep.</param>
internal sealed class TextBatchPacker(int wideBits, bool padToLongest, bool keepsLayouts = false)
{
    private readonly TextBatch _batch = new();
    private readonly SequenceLayout _layout = new();
    private readonly BagBuilder _tokens = new();
    private readonly BagBuilder _wide = new();
    private int[] _lengths = [];
    private int[] _positions = [];
    private int[] _segments = [];
    private int[] _marks = [];

    /// <summary>Packs rows.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="noise">Feature noise for training, or null.</param>
    public TextBatch Pack(IReadOnlyList<EncodedText> rows, InputNoise? noise = null) => Pack(rows, null, noise);

    /// <summary>Packs masked texts.</summary>
    /// <param name="masked">The texts.</param>
    /// <param name="noise">Feature noise for training, or null.</param>
    public TextBatch Pack(MaskedTexts masked, InputNoise? noise = null) => Pack(masked.Texts, masked, noise);

    private TextBatch Pack(IReadOnlyList<EncodedText> rows, MaskedTexts? masked, InputNoise? noise)
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
                    AddToken(_tokens, tokensOfRow[position], noise);
                _tokens.EndBag();
            }
        }

        return _batch.Become(
            layout, _tokens.Build(), _positions.AsMemory(0, tokens), _segments.AsMemory(0, tokens), PackWide(rows, noise), _marks.AsMemory(0, tokens));
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

        var layout = keepsLayouts ? new SequenceLayout() : _layout;
        layout.Become(_lengths.AsSpan(0, rows.Count), padToLongest ? longest : 0);
        return layout;
    }

    private static void AddToken(BagBuilder bags, TokenFeatures token, InputNoise? noise)
    {
        if (token.Rows[0] >= TextInput.SpecialRows && noise?.MasksToken() == true)
            token = TextInput.Masked;
        var parts = token.Rows.Length - 1;
        if (parts == 0 || noise?.DropsWord() != true)
            bags.Add(token.Rows[0], 1f);
        for (var i = 1; i <= parts; i++)
            bags.Add(token.Rows[i], 1f / parts);
    }

    private RaggedIndices? PackWide(IReadOnlyList<EncodedText> rows, InputNoise? noise)
    {
        if (wideBits == 0)
            return null;
        _wide.Clear(rows.Count);
        for (var i = 0; i < rows.Count; i++)
        {
            var features = rows[i].WideFeatures;
            var scale = 1f / MathF.Sqrt(Math.Max(1, features.Length)) * (noise?.WideScale ?? 1f);
            foreach (var feature in features)
                if (noise?.DropsWide() != true)
                    _wide.Add(feature >> (31 - wideBits), scale);
            _wide.EndBag();
        }

        return _wide.Build();
    }
}
