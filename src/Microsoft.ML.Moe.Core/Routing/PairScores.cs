namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// The scores U of a token's pairs as a function of its logits l, and their gradient, in single precision:
/// <list type="bullet">
/// <item><see cref="ScoreFunction.Softmax"/>: alpha·sigmoid(l)·2/N + (1 − alpha)·softmax(l);</item>
/// <item><see cref="ScoreFunction.Sigmoid"/>: sigmoid(l);</item>
/// <item><see cref="ScoreFunction.Relu"/>: max(l, 0);</item>
/// <item><see cref="ScoreFunction.SparseMixer"/>: of expert e, exp(lₑ) over the sum of exp(lᵢ) of those experts i that are not ahead of e
/// (a larger logit, or an equal one and a lower number) and for which (lₑ − lᵢ)/max(|lᵢ|, lₑ) ≤ tolerance.</item>
/// </list>
/// </summary>
/// <param name="rule">Score function and its numbers.</param>
/// <param name="p">Memory for N numbers.</param>
/// <param name="q">Memory for N numbers.</param>
internal readonly ref struct PairScores(CombineRule rule, Span<float> p, Span<float> q)
{
    private readonly Span<float> _p = p;
    private readonly Span<float> _q = q;

    /// <summary>Computes the scores of all experts.</summary>
    /// <param name="logitsE">A token's logits.</param>
    /// <param name="scoresE">Receives the scores.</param>
    public void Forward(ReadOnlySpan<float> logitsE, Span<float> scoresE)
    {
        switch (rule.Score)
        {
            case ScoreFunction.Sigmoid:
                for (var e = 0; e < logitsE.Length; e++)
                    scoresE[e] = Sigmoid(logitsE[e]);
                return;
            case ScoreFunction.Relu:
                for (var e = 0; e < logitsE.Length; e++)
                    scoresE[e] = MathF.Max(logitsE[e], 0f);
                return;
            case ScoreFunction.SparseMixer:
                for (var e = 0; e < logitsE.Length; e++)
                    scoresE[e] = 1f / MixerSum(logitsE, e);
                return;
        }

        Softmax(logitsE);
        for (var e = 0; e < logitsE.Length; e++)
        {
            // the expert's view costs as much as the token's: only where it counts
            _q[e] = rule.Alpha == 0f ? 0f : 2f / logitsE.Length / (1f + MathF.Exp(-logitsE[e]));
            scoresE[e] = rule.Alpha * _q[e] + (1f - rule.Alpha) * _p[e];
        }
    }

    /// <summary>Adds the gradient of the logits, after <see cref="Forward"/>.</summary>
    /// <param name="logitsE">A token's logits.</param>
    /// <param name="scoresE">What they gave.</param>
    /// <param name="dScoresE">Gradient of the scores.</param>
    /// <param name="dLogitsE">Added to.</param>
    public void Backward(ReadOnlySpan<float> logitsE, ReadOnlySpan<float> scoresE, ReadOnlySpan<float> dScoresE, Span<float> dLogitsE)
    {
        switch (rule.Score)
        {
            case ScoreFunction.Sigmoid:
                for (var e = 0; e < logitsE.Length; e++)
                    dLogitsE[e] += dScoresE[e] * scoresE[e] * (1f - scoresE[e]);
                return;
            case ScoreFunction.Relu:
                for (var e = 0; e < logitsE.Length; e++)
                    dLogitsE[e] += logitsE[e] > 0f ? dScoresE[e] : 0f;
                return;
            case ScoreFunction.SparseMixer:
                MixerBackward(logitsE, scoresE, dScoresE, dLogitsE);
                return;
        }

        // dl = alpha·dU∘Q∘(1 − sigmoid(l)) + (1 − alpha)·P∘(dU − ⟨P, dU⟩).
        var dot = 0f;
        for (var e = 0; e < logitsE.Length; e++)
            dot += _p[e] * dScoresE[e];
        for (var e = 0; e < logitsE.Length; e++)
        {
            var sigmoid = _q[e] * logitsE.Length / 2f;
            dLogitsE[e] += rule.Alpha * dScoresE[e] * _q[e] * (1f - sigmoid) + (1f - rule.Alpha) * _p[e] * (dScoresE[e] - dot);
        }
    }

    private static float Sigmoid(float logit) => 1f / (1f + MathF.Exp(-logit));

    private void Softmax(ReadOnlySpan<float> logitsE)
    {
        var largest = float.NegativeInfinity;
        foreach (var logit in logitsE)
            largest = MathF.Max(largest, logit);
        var sum = 0f;
        for (var e = 0; e < logitsE.Length; e++)
        {
            _p[e] = MathF.Exp(logitsE[e] - largest);
            sum += _p[e];
        }

        for (var e = 0; e < logitsE.Length; e++)
            _p[e] /= sum;
    }

    /// <summary>Σ exp(lᵢ − lₑ) over the experts beside e, which is one of them.</summary>
    private float MixerSum(ReadOnlySpan<float> logitsE, int e)
    {
        var sum = 0f;
        for (var i = 0; i < logitsE.Length; i++)
            sum += IsBeside(logitsE, e, i) ? MathF.Exp(logitsE[i] - logitsE[e]) : 0f;
        return sum;
    }

    private void MixerBackward(
        ReadOnlySpan<float> logitsE, ReadOnlySpan<float> scoresE, ReadOnlySpan<float> dScoresE, Span<float> dLogitsE)
    {
        for (var e = 0; e < logitsE.Length; e++)
        {
            var slope = dScoresE[e] * scoresE[e];
            if (slope == 0f)
                continue;
            dLogitsE[e] += slope;
            for (var i = 0; i < logitsE.Length; i++)
                if (IsBeside(logitsE, e, i))
                    dLogitsE[i] -= slope * scoresE[e] * MathF.Exp(logitsE[i] - logitsE[e]);
        }
    }

    private bool IsBeside(ReadOnlySpan<float> logitsE, int e, int i)
    {
        var (own, other) = (logitsE[e], logitsE[i]);
        var isAhead = other > own || (other == own && i < e);
        // not > and not ≤: where both are 0, 0/0 counts as near
        return !isAhead && !((own - other) / MathF.Max(MathF.Abs(other), own) > rule.Tolerance);
    }
}
