using System.Text.Json;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tests.Persistence;

namespace Microsoft.ML.Moe.Tests.TextClassification;

/// <summary>Another router on a fitted transformer, and routers side by side.</summary>
public sealed class WithRoutingTests : IDisposable
{
    private static readonly Router HalfAnExpert = Router.Unified(0.5, 0.3);
    private readonly MLContext _ml = new(seed: 1);
    private readonly TransformerChain<MoeTextClassificationTransformer> _model;
    private readonly MoeTextClassificationTransformer _transformer;

    public WithRoutingTests()
    {
        _model = Tests.Models.Fit(_ml);
        _transformer = _model.LastTransformer;
    }

    public void Dispose() => _model.Dispose();

    [Fact]
    public void TheSameRouterGivesTheSameScores()
    {
        using var again = _transformer.WithRouting(_transformer.Router);

        Tests.Models.AssertSame(Score(_transformer), Score(again));
        Assert.Equal(_transformer.ParameterCount, again.ParameterCount);
    }

    [Fact]
    public void AnotherRouterGivesOtherScoresAndLeavesTheOriginalAlone()
    {
        var before = Score(_transformer);

        using var other = _transformer.WithRouting(HalfAnExpert);

        Assert.All(Score(other).Zip(before), pair => Assert.NotEqual(pair.First.Score, pair.Second.Score));
        Tests.Models.AssertSame(before, Score(_transformer));
        Assert.Equal(HalfAnExpert, other.Router);
        Assert.Equal(RouterKind.TokenChoice, _transformer.Router.Kind);
    }

    [Fact]
    public void ColumnsAndAnnotationsStayTheSame()
    {
        var schema = _ml.Data.LoadFromEnumerable(Tables.Rows()).Schema;
        using var other = _transformer.WithRouting(HalfAnExpert);

        SchemaAssert.Equal(_transformer.GetOutputSchema(schema), other.GetOutputSchema(schema));
    }

    [Fact]
    public void SavingKeepsTheRouterAndTheWeights()
    {
        using var other = _transformer.WithRouting(HalfAnExpert);
        var zip = RoundTripTests.Save(other);
        using var again = Assert.IsType<MoeTextClassificationTransformer>(RoundTripTests.Load(zip));

        Assert.Equal(HalfAnExpert, again.Router);
        Tests.Models.AssertSame(Score(other), Score(again));

        var (original, changed) = (Zip.Read(RoundTripTests.Save(_transformer)), Zip.Read(zip));
        Assert.Equal(original.Keys.Order(), changed.Keys.Order());
        // Model.key holds the digests of the others
        var differing = original.Keys.Where(name => !original[name].SequenceEqual(changed[name]));
        Assert.Equal(["Config.json", "Model.key"], differing.Select(name => Path.GetFileName(name)).Order());
        using var config = JsonDocument.Parse(changed.Single(f => f.Key.EndsWith("/Config.json", StringComparison.Ordinal)).Value);
        Assert.Equal("unified", config.RootElement.GetProperty("encoder").GetProperty("router").GetProperty("kind").GetString());
    }

    [Fact]
    public void DisposingTheOriginalLeavesTheOtherAtWork()
    {
        var other = _transformer.WithRouting(HalfAnExpert);
        var expected = Score(other);

        _transformer.Dispose();

        Assert.Throws<ObjectDisposedException>(() => _transformer.WithRouting(HalfAnExpert));
        Tests.Models.AssertSame(expected, Score(other));
        using var third = other.WithRouting(HalfAnExpert);
        Tests.Models.AssertSame(expected, Score(third));
        other.Dispose();
        Assert.True(_transformer.IsModelAlive);
        Tests.Models.AssertSame(expected, Score(third));
        third.Dispose();
        Assert.False(_transformer.IsModelAlive);
        Assert.False(other.IsModelAlive);
    }

    [Fact]
    public void DisposingTheOtherLeavesTheOriginalAtWork()
    {
        var expected = Score(_transformer);
        var other = _transformer.WithRouting(HalfAnExpert);

        other.Dispose();
        other.Dispose();

        Assert.False(other.IsModelAlive);
        Assert.Throws<ObjectDisposedException>(() => Score(other));
        Tests.Models.AssertSame(expected, Score(_transformer));
        _transformer.Dispose();
        Assert.False(_transformer.IsModelAlive);
    }

    [Fact]
    public void ARefusedRouterHoldsNothing()
    {
        Assert.Throws<ArgumentNullException>(() => _transformer.WithRouting(null!));
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => _transformer.WithRouting(Router.TokenChoice(3, normalizeWeights: false)));
        Assert.Contains("at most Experts (2)", error.Message, StringComparison.Ordinal);

        _transformer.Dispose();
        Assert.False(_transformer.IsModelAlive);
    }

    [Fact]
    public void AModelWithoutMoeLayersIsRefused()
    {
        using var dense = Tests.Models.Fit(_ml, o => o.MoeEvery = 0);

        foreach (var error in new[]
        {
            Assert.Throws<InvalidOperationException>(() => dense.LastTransformer.WithRouting(HalfAnExpert)),
            Assert.Throws<InvalidOperationException>(() => dense.LastTransformer.CompareRouting(Data(), [HalfAnExpert])),
        })
            Assert.Contains("no MoE layers", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ComparedAccuracyAndLossAreThoseOfEvaluate()
    {
        Router[] policies = [HalfAnExpert, _transformer.Router, Router.ExpertChoice(1), Router.TokenChoice(2, normalizeWeights: false)];
        // words of all classes, so that neither all nor none of the predictions are right
        var random = new Random(5);
        var rows = Tables.Rows(400, seed: 5);
        rows.ForEach(r => r.Text = Tables.Sentence(random, random.Next(3)) + " " + r.Text);
        rows[3].Label = null;
        rows[4].Label = "unheard of";
        var data = _ml.Data.LoadFromEnumerable(rows);
        var keyed = _model.Transform(data);

        var results = _transformer.CompareRouting(keyed, policies);

        Assert.Equal(policies, results.Select(r => r.Router));
        Assert.All(results, result =>
        {
            using var other = _transformer.WithRouting(result.Router);
            var metrics = _ml.MulticlassClassification.Evaluate(other.Transform(keyed));
            Assert.InRange(result.Accuracy, 0.4, 0.99);
            Assert.Equal(metrics.MicroAccuracy, result.Accuracy, 1e-9);
            Assert.Equal(metrics.LogLoss, result.LogLoss, 1e-6);
        });
        Assert.Equal([1, 2], results.Where(r => r.Router.Kind == RouterKind.TokenChoice).Select(r => r.ExpertsPerToken));
        Assert.InRange(results[0].ExpertsPerToken, 0.4, 0.5);
        Assert.True(results[0].FlopsPerRow < results[1].FlopsPerRow && results[1].FlopsPerRow < results[3].FlopsPerRow);

        // plain labels, in place of the training set's keys
        Assert.Equal(results.Select(Measured), _transformer.CompareRouting(data, policies).Select(Measured));

        static object Measured(RoutingComparison r) => r with { MillisecondsPerRow = 0 };
    }

    [Fact]
    public void ImpossibleDataIsNamed()
    {
        Assert.Throws<ArgumentNullException>(() => _transformer.CompareRouting(null!, [HalfAnExpert]));
        Assert.Throws<ArgumentNullException>(() => _transformer.CompareRouting(Data(), null!));
        Assert.Throws<ArgumentNullException>(() => _transformer.CompareRouting(Data(), [null!]));
        Assert.Throws<ArgumentException>(() => _transformer.CompareRouting(Data(), []));
        AssertRefused<ArgumentOutOfRangeException>(Data(), "no label column 'Nowhere'", label: "Nowhere");
        AssertRefused<ArgumentOutOfRangeException>(Data(), "label column 'Number' of the data to compare on is of type", label: "Number");
        var textless = _ml.Data.LoadFromEnumerable(new[] { new FreshProcess.ScoreOnly() });
        AssertRefused<ArgumentOutOfRangeException>(textless, "no text column 'Text'");
        var unknown = _ml.Data.LoadFromEnumerable(new[] { new Row { Text = "rain", Label = "unheard of" } });
        AssertRefused<InvalidOperationException>(unknown, "no rows whose label, in column 'Label'");

        _transformer.Dispose();
        Assert.False(_transformer.IsModelAlive);
        Assert.Throws<ObjectDisposedException>(() => _transformer.CompareRouting(Data(), [HalfAnExpert]));
    }

    private void AssertRefused<T>(IDataView data, string reason, string label = "Label")
        where T : Exception
    {
        var error = Assert.Throws<T>(() => _transformer.CompareRouting(data, [HalfAnExpert], label));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    private IDataView Data() => _ml.Data.LoadFromEnumerable(Tables.Rows());

    private List<Prediction> Score(ITransformer transformer) => Tests.Models.Score(_ml, transformer, Tables.Rows(20, seed: 4));
}
