using System.Numerics;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// Token Choice: every token takes the k experts with the largest score, by default P = softmax(logits); ties go to the lower expert number.
/// The weight is the score, or the score divided by its sum over the selected experts. Switch Transformers (Fedus et al. 2021) is k = 1
/// without dividing, Mixtral k = 2 with; a softmax of the k chosen logits is the same as dividing.
/// <code>
/// s = softmax(l), sigmoid(l) or SparseMixer's
/// chosen = the k largest of s + b, in the kept groups of experts     b: a layer's bias for the choice, in no weight
/// skipped = chosen with s &lt; β·s of the first
/// </code>
/// </summary>
/// <param name="expertsPerToken">k, at least 1.</param>
/// <param name="normalizeWeights">Whether a token's weights are divided by their sum.</param>
public sealed class TokenChoice(int expertsPerToken, bool normalizeWeights) : RoutingPolicy
{
    /// <summary>k.</summary>
    public int ExpertsPerToken { get; } = expertsPerToken >= 1
        ? expertsPerToken
        : throw new ArgumentOutOfRangeException(nameof(expertsPerToken), expertsPerToken, "At least one expert for each token.");

    /// <inheritdoc cref="Router.ScoreFunction"/>
    public ScoreFunction ScoreFunction { get; init; }

    /// <inheritdoc cref="Router.Groups"/>
    public ExpertGroups? Groups { get; init; }

    /// <inheritdoc cref="Router.SkipThreshold"/>
    public double SkipThreshold { get; init; }

    /// <inheritdoc cref="Router.SmallestSum"/>
    public double SmallestSum { get; init; }

    /// <inheritdoc cref="Router.Jitter"/>
    public double Jitter { get; init; }

    /// <inheritdoc/>
    public override bool RoutesSequencesApart => true;

    /// <summary>Whether padding gets no experts: it takes them only where a capacity lets it compete.</summary>
    internal bool MaskPadding { get; init; } = true;

    /// <inheritdoc/>
    internal override bool MasksPadding => MaskPadding;

    /// <summary>How pairs are weighted.</summary>
    internal CombineRule Weights => new(0f, normalizeWeights ? WeightNormalization.Selected : WeightNormalization.None)
    {
        Score = ScoreFunction,
        SmallestSum = (float)SmallestSum,
        Tolerance = ScoreFunction == ScoreFunction.SparseMixer ? (float)(2 * Jitter) : 0f,
    };

    /// <inheritdoc/>
    public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training) =>
        PlanOfChosen(logitsTE, [], experts, layout, training);

    /// <inheritdoc/>
    internal override int ScratchBytes(int tokens, int experts) => RoutingScratch.BytesOf<double>(experts);

    /// <inheritdoc/>
    internal override PlanTerms Choose(
        ReadOnlySpan<float> logitsTE,
        ReadOnlySpan<float> choiceBiasE,
        SequenceLayout layout,
        bool training,
        PairMatrix pairs,
        RoutingScratch scratch)
    {
        var experts = pairs.Experts;
        CheckFits(experts);
        var scoresE = scratch.Take<double>(experts);
        for (var token = 0; token < layout.Tokens; token++)
        {
            if (MaskPadding && !layout.IsToken(token))
                continue;
            var logitsE = logitsTE.Slice(token * experts, experts);
            var selectedE = pairs.Of(token);
            if (choiceBiasE.IsEmpty && Groups is null)
            {
                // all scores are monotonic: the largest logits are the largest
                TakeLargest(logitsE, selectedE);
            }
            else
            {
                RouterScores.Of(ScoreFunction, logitsE, scoresE);
                for (var expert = 0; expert < choiceBiasE.Length; expert++)
                    scoresE[expert] += choiceBiasE[expert];
                Groups?.Exclude(scoresE);
                TakeLargest(scoresE, selectedE);
            }

            if (SkipThreshold > 0)
                Skip(logitsE, scoresE, selectedE);
        }

        return new PlanTerms(Weights);
    }

    /// <summary>Checks that there are as many experts as a token takes.</summary>
    internal void CheckFits(int experts)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ExpertsPerToken, experts);
        Groups?.CheckFits(experts, ExpertsPerToken);
    }

    private void TakeLargest<T>(ReadOnlySpan<T> scoresE, Span<bool> selectedE)
        where T : IComparisonOperators<T, T, bool>
    {
        for (var rank = 0; rank < ExpertsPerToken; rank++)
        {
            var best = -1;
            for (var expert = 0; expert < scoresE.Length; expert++)
                if (!selectedE[expert] && (best < 0 || scoresE[expert] > scoresE[best]))
                    best = expert;
            selectedE[best] = true;
        }
    }

    private void Skip(ReadOnlySpan<float> logitsE, Span<double> scoresE, Span<bool> selectedE)
    {
        RouterScores.Of(ScoreFunction, logitsE, scoresE);
        var largest = 0.0;
        for (var expert = 0; expert < scoresE.Length; expert++)
            largest = selectedE[expert] ? Math.Max(largest, scoresE[expert]) : largest;
        for (var expert = 0; expert < scoresE.Length; expert++)
            selectedE[expert] &= scoresE[expert] >= SkipThreshold * largest;
    }
}
