namespace Microsoft.ML.Moe.Generation;

/// <summary>Bans tokens by their probabilities: puts them into an order and keeps the first ones.</summary>
/// <param name="leastKept">Tokens that stay at least.</param>
internal abstract class ProbabilityCut(int leastKept) : ScoreProcessor
{
    private long[] _keys = [];
    private double[] _probabilities = [];

    public sealed override void Apply(SequenceSoFar sequence, Span<float> scores)
    {
        if (_keys.Length < scores.Length)
            (_keys, _probabilities) = (new long[scores.Length], new double[scores.Length]);
        var normalizer = Probabilities.LogSumExp(scores);
        if (!double.IsFinite(normalizer))
            return;
        Prepare(scores, normalizer);
        var count = 0;
        for (var token = 0; token < scores.Length; token++)
            if (scores[token] > float.NegativeInfinity)
                _keys[count++] = Key(OrderOf(scores[token] - normalizer), token);
        var keys = _keys.AsSpan(0, count);
        keys.Sort();
        var probabilities = _probabilities.AsSpan(0, count);
        for (var i = 0; i < count; i++)
            probabilities[i] = Math.Exp(scores[TokenOf(keys[i])] - normalizer);
        var kept = Math.Max(KeptOf(probabilities), Math.Min(leastKept, count));
        while (KeepsTies && kept > 0 && kept < count && OrderOf(keys[kept]) == OrderOf(keys[kept - 1]))
            kept++;
        foreach (var key in keys[kept..])
            scores[TokenOf(key)] = float.NegativeInfinity;
    }

    /// <summary>Whether tokens that come as early as the last one that stays do so too.</summary>
    private protected virtual bool KeepsTies => false;

    /// <summary>Looks at all scores first.</summary>
    private protected virtual void Prepare(ReadOnlySpan<float> scores, double normalizer)
    {
    }

    /// <summary>By what tokens are ordered, ascending.</summary>
    /// <param name="logProbability">Of the token.</param>
    private protected virtual float OrderOf(double logProbability) => (float)-logProbability;

    /// <summary>How many tokens stay.</summary>
    /// <param name="probabilities">In their order.</param>
    private protected abstract int KeptOf(ReadOnlySpan<double> probabilities);

    /// <summary>How many of descending probabilities are not below one.</summary>
    private protected static int AtLeast(double least, ReadOnlySpan<double> probabilities)
    {
        var kept = probabilities.Length;
        while (kept > 0 && probabilities[kept - 1] < least)
            kept--;
        return kept;
    }

    private static int TokenOf(long key) => (int)(uint)key;

    private static int OrderOf(long key) => (int)(key >> 32);

    // those of equal order come by their ids
    private static long Key(float order, int token)
    {
        var bits = BitConverter.SingleToInt32Bits(order);
        return ((long)(bits >= 0 ? bits : bits ^ int.MaxValue) << 32) | (uint)token;
    }
}

/// <summary>Keeps the fewest most probable tokens whose probabilities add up to p.</summary>
internal sealed class TopP(float p, int leastKept) : ProbabilityCut(leastKept)
{
    private protected override int KeptOf(ReadOnlySpan<double> probabilities)
    {
        var (kept, gone) = (probabilities.Length, 0.0);
        // from the least probable one upwards, those go that add up to no more than 1 − p
        while (kept > 0 && (gone += probabilities[kept - 1]) <= 1.0 - p)
            kept--;
        return kept;
    }
}

/// <summary>Keeps tokens of a least probability relative to the most probable one's.</summary>
internal sealed class MinP(float p, int leastKept) : ProbabilityCut(leastKept)
{
    private protected override int KeptOf(ReadOnlySpan<double> probabilities) => AtLeast(p * probabilities[0], probabilities);
}

/// <summary>Keeps the fewest tokens that add up to a mass, those first whose information is nearest to the expected one.</summary>
internal sealed class TypicalP(float mass, int leastKept) : ProbabilityCut(leastKept)
{
    private double _entropy;

    private protected override bool KeepsTies => true;

    private protected override void Prepare(ReadOnlySpan<float> scores, double normalizer) =>
        _entropy = Probabilities.Entropy(scores, normalizer);

    private protected override float OrderOf(double logProbability) => (float)Math.Abs(-logProbability - _entropy);

    private protected override int KeptOf(ReadOnlySpan<double> probabilities)
    {
        var (kept, sum) = (0, 0.0);
        while (kept < probabilities.Length && (sum += probabilities[kept]) < mass)
            kept++;
        return Math.Min(kept + 1, probabilities.Length);
    }
}

/// <summary>Keeps tokens of a least probability.</summary>
internal sealed class EpsilonCutoff(float epsilon, int leastKept) : ProbabilityCut(leastKept)
{
    private protected override bool KeepsTies => true;

    private protected override int KeptOf(ReadOnlySpan<double> probabilities) => AtLeast(epsilon, probabilities);
}

/// <summary>Keeps tokens of a least probability, which is lower where the model is uncertain: min(ε, √ε · exp(−entropy)).</summary>
internal sealed class EtaCutoff(float epsilon, int leastKept) : ProbabilityCut(leastKept)
{
    private double _least;

    private protected override bool KeepsTies => true;

    private protected override void Prepare(ReadOnlySpan<float> scores, double normalizer) =>
        _least = Math.Min(epsilon, Math.Sqrt(epsilon) * Math.Exp(-Probabilities.Entropy(scores, normalizer)));

    private protected override int KeptOf(ReadOnlySpan<double> probabilities) => AtLeast(_least, probabilities);
}
