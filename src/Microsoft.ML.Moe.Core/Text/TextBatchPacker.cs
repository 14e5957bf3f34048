using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Text;

/// <summary>
/// Packs batches one after the other into the same memory, so that each is good until the next is packed: for a training, whose steps
/// follow one another. For one thread. Only the layout is a batch's own, since policies and observers are shown it.
/// </summary>
/// <param name="wideBits">Binary logarithm of the wide table's rows; 0 for none.</param>
/// <param name="padToLongest">
/// Whether each row is filled to the longest with padding, for routers that let it compete: tokens of no features, at the positions
/// that follow.
/// </param>
internal sealed class TextBatchPacker(int wideBits, bool padToLongest)
{
    private readonly BagBuilder _tokens = new();
    private readonly BagBuilder _wide = new();
    private int[] _positions = [];
    private int[] _segments = [];

    /// <summary>Packs rows.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="noise">Feature noise for training, or null.</param>
    public TextBatch Pack(IReadOnlyList<EncodedText> rows, InputNoise? noise = null)
    {
        var layout = LayoutOf(rows);
        var tokens = layout.Tokens;
        if (_positions.Length < tokens)
        {
            _positions = new int[Math.Max(tokens, 2 * _positions.Length)];
            _segments = new int[_positions.Length];
        }

        _tokens.Clear(tokens);
        for (var i = 0; i < rows.Count; i++)
            for (var (position, token) = (0, layout.Offsets[i]); token < layout.Offsets[i + 1]; position++, token++)
            {
                var isToken = position < rows[i].Length;
                _positions[token] = position;
                _segments[token] = isToken && position >= rows[i].SecondStart ? 1 : 0;
                if (isToken)
                    AddToken(_tokens, rows[i].Tokens[position], noise);
                _tokens.EndBag();
            }

        return new TextBatch(layout, _tokens.Build(), _positions.AsMemory(0, tokens), _segments.AsMemory(0, tokens), PackWide(rows, noise));
    }

    private SequenceLayout LayoutOf(IReadOnlyList<EncodedText> rows)
    {
        var longest = 0;
        for (var i = 0; padToLongest && i < rows.Count; i++)
            longest = Math.Max(longest, rows[i].Length);
        var offsets = new int[rows.Count + 1];
        var hasPadding = false;
        for (var i = 0; i < rows.Count; i++)
        {
            offsets[i + 1] = offsets[i] + Math.Max(longest, rows[i].Length);
            hasPadding |= rows[i].Length < longest;
        }

        if (!hasPadding)
            return new SequenceLayout(offsets);
        var isToken = new bool[offsets[^1]];
        for (var i = 0; i < rows.Count; i++)
            isToken.AsSpan(offsets[i], rows[i].Length).Fill(true);
        return new SequenceLayout(offsets, isToken);
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
