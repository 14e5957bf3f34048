using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Persistence;

namespace Microsoft.ML.Moe.Tests.TextClassification;

/// <summary>Another precision of a fitted transformer's weights.</summary>
public sealed class WithPrecisionTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly MoeTextClassificationTransformer _transformer;

    public WithPrecisionTests() => _transformer = Tests.Models.Fit(_ml).LastTransformer;

    public void Dispose() => _transformer.Dispose();

    [Fact]
    public void RoundedWeightsGiveAlmostTheSameScoresInTheSameColumns()
    {
        var schema = _ml.Data.LoadFromEnumerable(Tables.Rows()).Schema;

        using var rounded = _transformer.WithPrecision(InferencePrecision.BFloat16);

        Assert.Equal((InferencePrecision.Full, InferencePrecision.BFloat16), (_transformer.Precision, rounded.Precision));
        SchemaAssert.Equal(_transformer.GetOutputSchema(schema), rounded.GetOutputSchema(schema));
        Assert.All(Score(_transformer).Zip(Score(rounded)), pair =>
        {
            Assert.NotEqual(pair.First.Score, pair.Second.Score);
            Assert.Equal(pair.First.PredictedLabel, pair.Second.PredictedLabel);
            Assert.All(pair.First.Score.Zip(pair.Second.Score), s => Assert.Equal(s.First, s.Second, 0.02));
        });
    }

    [Fact]
    public void ItIsKeptByAnotherRouterAndByMoreColumns()
    {
        using var rounded = _transformer.WithPrecision(InferencePrecision.BFloat16);
        using var router = rounded.WithRouting(rounded.Router);
        using var columns = rounded.WithRouterEntropy();

        Assert.Equal((InferencePrecision.BFloat16, InferencePrecision.BFloat16), (router.Precision, columns.Precision));
        Tests.Models.AssertSame(Score(rounded), Score(router));
    }

    [Fact]
    public void SavingWritesTheWeightsAsTrained()
    {
        using var rounded = _transformer.WithPrecision(InferencePrecision.BFloat16);

        var zip = RoundTripTests.Save(rounded);

        var (original, changed) = (Zip.Read(RoundTripTests.Save(_transformer)), Zip.Read(zip));
        Assert.Equal(original.Keys.Order(), changed.Keys.Order());
        Assert.All(original.Keys, name => Assert.Equal(original[name], changed[name]));
        using var again = Assert.IsType<MoeTextClassificationTransformer>(RoundTripTests.Load(zip));
        Assert.Equal(InferencePrecision.Full, again.Precision);
        Tests.Models.AssertSame(Score(_transformer), Score(again));
    }

    [Fact]
    public void EachIsDisposedWithoutHarmToTheOther()
    {
        var rounded = _transformer.WithPrecision(InferencePrecision.BFloat16);
        var expected = Score(rounded);

        _transformer.Dispose();

        Tests.Models.AssertSame(expected, Score(rounded));
        rounded.Dispose();
        Assert.False(_transformer.IsModelAlive);
    }

    [Fact]
    public void ARefusedPrecisionHoldsNothing()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => _transformer.WithPrecision((InferencePrecision)7));

        _transformer.Dispose();
        Assert.False(_transformer.IsModelAlive);
    }

    private List<Prediction> Score(ITransformer transformer) => Tests.Models.Score(_ml, transformer, Tables.Rows(20, seed: 4));
}
