using Microsoft.ML.Moe.Evaluation;

namespace Microsoft.ML.Moe.Tests.Evaluation;

public class RankingTests
{
    [Fact]
    public void EqualScoresCountAsOneStepOfThePrecision()
    {
        // Both of the tied rows are taken at once: precision 1/2 at recall 1.
        Assert.Equal(0.5, RankedLabels.AveragePrecision([1, 1], [true, false]));
        Assert.Equal(1, RankedLabels.AveragePrecision([2, 1], [true, false]));
        Assert.Equal(0, RankedLabels.AveragePrecision([2, 1], [false, false]));
        Assert.Equal(0, RankedLabels.AveragePrecision([], []));
    }

    [Fact]
    public void ACutLiesHalfwayBetweenDifferentScores()
    {
        // Sorted: 4 yes | 3 no, 3 yes | 1 no. Behind the first row 3 of 4 are right; behind the third too, and F1 is 0.8.
        var cuts = RankedLabels.BestCuts([3, 4, 1, 3], [false, true, false, true], isHigherCloser: true);

        Assert.Equal(new BestCuts(0.75, 3.5, 0.8, 2.0 / 3, 1, 2), cuts with { F1 = Math.Round(cuts.F1, 12) });
    }

    [Fact]
    public void DistancesAreCutFromTheSmallest()
    {
        var cuts = RankedLabels.BestCuts([0.5, 2, 3], [true, false, false], isHigherCloser: false);

        Assert.Equal((1, 1.25, 1.25), (cuts.Accuracy, cuts.AccuracyThreshold, cuts.F1Threshold));
    }

    [Fact]
    public void WithoutDifferentScoresThereIsNoCut() =>
        Assert.Equal(new BestCuts(0, -1, 0, 0, 0, 0), RankedLabels.BestCuts([1, 1], [true, false], isHigherCloser: true));

    [Fact]
    public void RankedDocumentsScoreByHand()
    {
        // Relevant at ranks 2 and 4 of five documents, a third one is not ranked.
        var ranked = new RankedDocuments([0, 1, 0, 2, 0], [1, 2, 1, 0]);

        Assert.Equal(((1.0 / 2) + (2.0 / 4)) / 3, ranked.AveragePrecision(5), 1e-12);
        Assert.Equal(1.0 / 2 / 3, ranked.AveragePrecision(3), 1e-12);
        Assert.Equal((2.0 / 3, 2.0 / 10, 0.5), (ranked.Recall(10), ranked.Precision(10), ranked.ReciprocalRank(10)));
        Assert.Equal(0, ranked.ReciprocalRank(1));
        var gain = (1 / Math.Log2(3)) + (2 / Math.Log2(5));
        Assert.Equal(gain / (2 + (1 / Math.Log2(3)) + (1 / Math.Log2(4))), ranked.Ndcg(5), 1e-12);
    }

    [Fact]
    public void WithoutRelevantDocumentsAllScoresAreZero()
    {
        var ranked = new RankedDocuments([0, 0], []);

        Assert.Equal((0, 0, 0, 0), (ranked.Ndcg(10), ranked.AveragePrecision(10), ranked.Recall(10), ranked.ReciprocalRank(10)));
    }

    [Fact]
    public void OfEqualScoresTheIrrelevantOneComesFirst() =>
        Assert.Equal(0.5, RankedDocuments.OfCandidates([0.5, 0.5], [1, 0]).AveragePrecision(10));

    [Fact]
    public void AgreesWithClassesWhateverTheClustersAreCalled()
    {
        var agreement = new ClusterAgreement([0, 0, 1, 1, 2], [7, 7, -1, -1, 3]);

        Assert.Equal((1, 1, 1), (agreement.VMeasure, agreement.AdjustedRandIndex, Math.Round(agreement.AdjustedMutualInformation, 12)));
        Assert.Equal(0, new ClusterAgreement([0, 0, 1, 1], [0, 1, 0, 1]).VMeasure, 1e-12);
        Assert.Throws<ArgumentException>(() => new ClusterAgreement([], []));
    }

    [Fact]
    public void ClassesThatNobodyPredictsScoreZero()
    {
        var counts = new ConfusionCounts([0, 1, 1], [0, 0, 0], classes: 3);

        Assert.Equal((0, 0, 0), (counts.F1(1), counts.F1(2), counts.Precision(1)));
        Assert.Equal(0.25, counts.MacroF1);
        Assert.Equal(0, counts.Matthews);
        Assert.Throws<ArgumentException>(() => new ConfusionCounts([0], [0, 1], 2));
        Assert.Throws<ArgumentException>(() => new ConfusionCounts([], [], 2));
    }
}
