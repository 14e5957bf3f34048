using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Text;

/// <summary>Rows of a table packed for one forward pass: every token stands once, without padding unless it is asked for.</summary>
internal sealed class TextBatch
{
    private TextBatch(SequenceLayout layout, RaggedIndices tokens, int[] positions, int[] segments, RaggedIndices? wide)
    {
        Layout = layout;
        Tokens = tokens;
        Positions = positions;
        Segments = segments;
        HasSegments = segments.AsSpan().Contains(1);
        Wide = wide;
    }

    /// <summary>Where each row's tokens lie.</summary>
    public SequenceLayout Layout { get; }

    /// <summary>T bags of rows of the token table.</summary>
    public RaggedIndices Tokens { get; }

    /// <summary>Position of each token within its row.</summary>
    public int[] Positions { get; }

    /// <summary>0 for tokens of the first text, 1 for the second.</summary>
    public int[] Segments { get; }

    /// <summary>Whether any row has a second text.</summary>
    public bool HasSegments { get; }

    /// <summary>B bags of wide features; null when the model has no wide branch.</summary>
    public RaggedIndices? Wide { get; }

    /// <summary>Packs rows.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="wideBits">Binary logarithm of the wide table's rows; 0 for none.</param>
    /// <param name="noise">Feature noise for training, or null.</param>
    /// <param name="padToLongest">
    /// Whether each row is filled to the longest with padding, for routers that let it compete: tokens of no features, at the positions
    /// that follow.
    /// </param>
    public static TextBatch Pack(IReadOnlyList<EncodedText> rows, int wideBits, InputNoise? noise = null, bool padToLongest = false)
    {
        var longest = padToLongest && rows.Count > 0 ? rows.Max(row => row.Length) : 0;
        var offsets = new int[rows.Count + 1];
        for (var i = 0; i < rows.Count; i++)
            offsets[i + 1] = offsets[i] + Math.Max(longest, rows[i].Length);
        var tokens = new BagBuilder(offsets[^1], offsets[^1] * 16);
        var positions = new int[offsets[^1]];
        var segments = new int[offsets[^1]];
        var isToken = new bool[offsets[^1]];
        for (var i = 0; i < rows.Count; i++)
            for (var (position, token) = (0, offsets[i]); token < offsets[i + 1]; position++, token++)
            {
                positions[token] = position;
                isToken[token] = position < rows[i].Length;
                if (!isToken[token])
                {
                    tokens.EndBag();
                    continue;
                }

                segments[token] = position < rows[i].SecondStart ? 0 : 1;
                AddToken(tokens, rows[i].Tokens[position], noise);
            }

        var layout = new SequenceLayout(offsets, isToken.AsSpan().Contains(false) ? isToken : null);
        return new TextBatch(layout, tokens.Build(), positions, segments, PackWide(rows, wideBits, noise));
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
        bags.EndBag();
    }

    private static RaggedIndices? PackWide(IReadOnlyList<EncodedText> rows, int wideBits, InputNoise? noise)
    {
        if (wideBits == 0)
            return null;
        var bags = new BagBuilder(rows.Count, rows.Count * 32);
        foreach (var row in rows)
        {
            var scale = 1f / MathF.Sqrt(Math.Max(1, row.WideFeatures.Length)) * (noise?.WideScale ?? 1f);
            foreach (var feature in row.WideFeatures)
                if (noise?.DropsWide() != true)
                    bags.Add(feature >> (31 - wideBits), scale);
            bags.EndBag();
        }

        return bags.Build();
    }
}
