using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>Adds up what one MoE layer routes, batch by batch, in memory that does not grow with the number of rows.</summary>
internal sealed class LayerTally
{
    /// <summary>Different uncertain tokens that are counted exactly.</summary>
    public const int TextsHeld = 1 << 16;

    private readonly int _block;
    private readonly int _experts;
    private readonly double _threshold;
    private readonly RoutingReportOptions _options;
    private readonly long[] _pairsE;
    private readonly long[] _firstChoicesE;
    private readonly double[] _probabilitySumsE;
    private readonly long[] _tokensByExperts;
    private readonly long[][] _togetherEE;
    private readonly long[] _tokensByBin;
    private readonly long[] _uncertainByBin;
    private readonly FrequentTexts _uncertainTexts = new(TextsHeld);
    private readonly FrequentTexts? _uncertainTextsOfStack;
    private TokenSample? _sample;
    private double _entropySum;
    private long _tokens;
    private long _droppedPairs;

    /// <summary>Starts at nothing.</summary>
    /// <param name="block">Number of the transformer block.</param>
    /// <param name="experts">Number of experts, N.</param>
    /// <param name="threshold">H*, in nats.</param>
    /// <param name="options">What the report shall hold.</param>
    /// <param name="uncertainTextsOfStack">Counts uncertain tokens of all layers of the stack; null for none.</param>
    public LayerTally(int block, int experts, double threshold, RoutingReportOptions options, FrequentTexts? uncertainTextsOfStack = null)
    {
        _uncertainTextsOfStack = uncertainTextsOfStack;
        _block = block;
        _experts = experts;
        _threshold = threshold;
        _options = options;
        _pairsE = new long[experts];
        _firstChoicesE = new long[experts];
        _probabilitySumsE = new double[experts];
        _tokensByExperts = new long[experts + 1];
        _togetherEE = [.. Enumerable.Range(0, experts).Select(_ => new long[experts])];
        _tokensByBin = new long[options.EntropyBins];
        _uncertainByBin = new long[options.EntropyBins];
    }

    /// <summary>Adds a batch.</summary>
    /// <param name="layer">What was routed.</param>
    /// <param name="textOf">Text of a token, given the number of its sequence and its position there.</param>
    public void Add(RoutedLayer layer, Func<int, int, string> textOf)
    {
        var layout = layer.Layout;
        var logitsTE = layer.LogitsTE.ToArray();
        _droppedPairs += layer.Plan.DroppedPairs;
        for (var sequence = 0; sequence < layout.Sequences; sequence++)
        {
            var start = layout.Offsets[sequence];
            for (var token = start; token < layout.Offsets[sequence + 1]; token++)
            {
                if (!layout.IsToken(token))
                    continue;
                _tokens++;
                AddExperts(layer.Plan.ByToken, token);
                var logitsE = logitsTE.AsSpan(token * _experts, _experts);
                AddProbabilities(logitsE);
                if (!AddEntropy(RouterEntropy.Of(logitsE)))
                    continue;
                var text = textOf(sequence, token - start);
                _uncertainTexts.Add(text);
                _uncertainTextsOfStack?.Add(text);
            }
        }

        _sample ??= new TokenSample(Math.Min(_options.SampledTokens, ExpertSimilarity.TokensWithinBounds(layer.Experts)));
        _sample.Draw(layer);
    }

    /// <summary>What was added up; runs the experts on the sampled tokens.</summary>
    public LayerRoutingReport Build(Engine engine)
    {
        var pairs = _pairsE.Sum();
        var uncertain = _uncertainByBin.Sum();
        var sampled = _sample?.Vectors ?? [];
        return new LayerRoutingReport
        {
            Block = _block,
            Tokens = _tokens,
            Pairs = pairs,
            DroppedPairs = _droppedPairs,
            Load =
            [
                .. Enumerable.Range(0, _experts).Select(e => new ExpertLoad(
                    _pairsE[e], Share.Of(_pairsE[e], pairs), Share.Of(_pairsE[e], _tokens), Share.Of(_probabilitySumsE[e], _tokens))),
            ],
            LoadVariation = Math.Sqrt(RouterImbalance.Importance([.. _pairsE.Select(count => (double)count)])),
            Importance = RouterImbalance.Importance(_probabilitySumsE),
            LoadBalancing = LoadBalancingLoss.Value(_firstChoicesE, _probabilitySumsE, _tokens),
            TokensByExperts = [.. _tokensByExperts],
            EntropyHistogram =
            [
                .. _tokensByBin.Select((tokens, bin) => new EntropyBin(EdgeOf(bin), EdgeOf(bin + 1), tokens, _uncertainByBin[bin])),
            ],
            MeanEntropy = Share.Of(_entropySum, _tokens),
            UncertainTokens = uncertain,
            MostUncertainTokens = MostUncertain(_uncertainTexts, _options.TopTokens, uncertain),
            CoActivation =
            [
                .. _togetherEE.Select((row, e) => (double[])[.. row.Select(together => Share.Of(together, _pairsE[e]))]),
            ],
            OutputSimilarity = sampled.Count == 0
                ? null
                : ExpertSimilarity.Of(engine, _sample!.Experts!, sampled),
            SampledTokens = sampled.Count,
        };
    }

    /// <summary>The most frequent of counted texts.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="most">How many of them.</param>
    /// <param name="uncertain">Number of all uncertain tokens.</param>
    public static IReadOnlyList<UncertainToken> MostUncertain(FrequentTexts texts, int most, long uncertain) =>
        [.. texts.Largest(most).Select(t => new UncertainToken(t.Text, t.Count, Share.Of(t.Count, uncertain)))];

    private void AddExperts(TokenPairs pairs, int token)
    {
        var pairsOfToken = pairs.Of(token);
        _tokensByExperts[pairsOfToken.Length]++;
        foreach (var pair in pairsOfToken)
        {
            var together = _togetherEE[pairs.Expert(pair)];
            _pairsE[pairs.Expert(pair)]++;
            foreach (var other in pairsOfToken)
                together[pairs.Expert(other)]++;
        }
    }

    private void AddProbabilities(ReadOnlySpan<float> logitsE)
    {
        Span<double> probabilitiesE = _experts <= 256 ? stackalloc double[_experts] : new double[_experts];
        RouterScores.Softmax(logitsE, probabilitiesE);
        for (var expert = 0; expert < _experts; expert++)
            _probabilitySumsE[expert] += probabilitiesE[expert];
        _firstChoicesE[LoadBalancingLoss.FirstChoice(logitsE)]++;
    }

    /// <summary>Adds a token's entropy and tells whether the token is uncertain.</summary>
    private bool AddEntropy(double entropy)
    {
        _entropySum += entropy;
        var bins = _tokensByBin.Length;
        var width = EdgeOf(1);
        var bin = width == 0 ? 0 : (int)Math.Clamp(Math.Floor(entropy / width), 0, bins - 1);
        _tokensByBin[bin]++;
        if (!(entropy >= _threshold))
            return false;
        _uncertainByBin[bin]++;
        return true;
    }

    private double EdgeOf(int bin) => Math.Log(_experts) * bin / _tokensByBin.Length;
}

/// <summary>Shares of counts.</summary>
internal static class Share
{
    /// <summary>part / whole, 0 of nothing.</summary>
    public static double Of(double part, double whole) => whole == 0 ? 0 : part / whole;
}

/// <summary>
/// Counts texts in bounded memory (Misra and Gries 1982, many decrements at a time): exact until there are more different ones than
/// it holds. From then on, counts are lower bounds, off by at most 2/capacity of all that was added.
/// </summary>
/// <param name="capacity">Different texts to hold, at least 2.</param>
internal sealed class FrequentTexts(int capacity)
{
    private readonly Dictionary<string, long> _counts = [];

    /// <summary>Number of different texts held.</summary>
    public int Held => _counts.Count;

    /// <summary>Counts a text once more.</summary>
    public void Add(string text)
    {
        if (_counts.Count >= capacity && !_counts.ContainsKey(text))
            Shrink();
        _counts[text] = _counts.GetValueOrDefault(text) + 1;
    }

    /// <summary>The most frequent texts, by falling count and then in ordinal order.</summary>
    public IEnumerable<(string Text, long Count)> Largest(int number) => _counts
        .OrderByDescending(pair => pair.Value)
        .ThenBy(pair => pair.Key, StringComparer.Ordinal)
        .Take(number)
        .Select(pair => (pair.Key, pair.Value));

    /// <summary>Subtracts the median count from all, and lets go of those that fall to 0: half of them at least.</summary>
    private void Shrink()
    {
        var counts = _counts.Values.ToArray();
        Array.Sort(counts);
        var median = counts[counts.Length / 2];
        foreach (var (text, count) in _counts.ToArray())
            if (count > median)
                _counts[text] = count - median;
            else
                _counts.Remove(text);
    }
}
