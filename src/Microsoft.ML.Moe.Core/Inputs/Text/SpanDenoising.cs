namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Makes rows to pretrain an encoder–decoder on (Raffel et al. 2020, "Exploring the limits of transfer learning", section 3.1.4): spans of a
/// text are hidden, each behind a sentinel of its own, and the decoder writes each sentinel with what it hides:
/// <code>
/// text     Thank you for inviting me to your party last week
/// reads    Thank you [0] me to your party [1] week
/// writes   [0] for inviting [1] last [end]
/// </code>
/// How many tokens and spans are hidden is certain, where they lie is random; a text begins with a token that is seen, and ends with a hidden one.
/// </summary>
internal sealed class SpanDenoising
{
    private readonly int[] _sentinels;
    private readonly int _end;

    /// <summary>Creates it.</summary>
    /// <param name="sentinels">Ids of the sentinels in the order of their use; at least one. No more spans are hidden than there are.</param>
    /// <param name="end">Id of the token that ends what is read and what is written.</param>
    public SpanDenoising(IReadOnlyList<int> sentinels, int end)
    {
        if (sentinels.Count == 0)
            throw new ArgumentException("There are no sentinels to hide spans behind.", nameof(sentinels));
        (_sentinels, _end) = ([.. sentinels], end);
    }

    /// <summary>Share of the tokens that are hidden, within (0, 1). Default 0.15.</summary>
    public double Share
    {
        get;
        init => field = value is > 0 and < 1
            ? value
            : throw new ArgumentOutOfRangeException(nameof(Share), value, $"{nameof(Share)} must be over 0 and below 1.");
    } = 0.15;

    /// <summary>Mean length of a hidden span in tokens. Within [1, 1024]. Default 3.</summary>
    public double MeanSpan { get; init => field = OptionCheck.Range(value, 1.0, 1024.0, nameof(MeanSpan)); } = 3;

    /// <summary>A text as a row: what the encoder reads, and what the decoder is to write.</summary>
    /// <param name="ids">Ids of the text without special tokens; at least two.</param>
    /// <param name="random">Draws where the spans lie.</param>
    /// <exception cref="ArgumentException">There are fewer than two tokens: one is hidden, and one is seen.</exception>
    public EncodedText Apply(ReadOnlySpan<int> ids, Random random)
    {
        if (ids.Length < 2)
            throw new ArgumentException("A text of fewer than two tokens has no span to hide.", nameof(ids));
        var hidden = Math.Clamp((int)Math.Round(ids.Length * Share), 1, ids.Length - 1);
        var spans = Math.Clamp((int)Math.Round(hidden / MeanSpan), 1, Math.Min(_sentinels.Length, Math.Min(hidden, ids.Length - hidden)));
        var (hiddenLengths, seenLengths) = (Divide(hidden, spans, random), Divide(ids.Length - hidden, spans, random));
        var (reads, writes) = (new List<int>(ids.Length), new List<int>(hidden + spans + 1));
        for (var span = 0; span < spans; span++)
        {
            reads.AddRange(ids[..seenLengths[span]]);
            reads.Add(_sentinels[span]);
            ids = ids[seenLengths[span]..];
            writes.Add(_sentinels[span]);
            writes.AddRange(ids[..hiddenLengths[span]]);
            ids = ids[hiddenLengths[span]..];
        }

        reads.Add(_end);
        writes.Add(_end);
        return new EncodedText(new TokenIds([.. reads]) { Targets = [.. writes] }, tokensCutOff: 0, isEmpty: false);
    }

    /// <summary>Divides a number into parts that are at least 1, all ways alike probable.</summary>
    private static int[] Divide(int number, int parts, Random random)
    {
        // a choice of parts − 1 of the number − 1 places between its ones
        var cuts = new bool[number];
        cuts.AsSpan(1, parts - 1).Fill(true);
        random.Shuffle(cuts.AsSpan(1));
        var lengths = new int[parts];
        var part = 0;
        for (var i = 0; i < number; i++)
        {
            if (cuts[i])
                part++;
            lengths[part]++;
        }

        return lengths;
    }
}
