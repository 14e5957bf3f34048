using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests;

/// <summary>What every transformer that gives a vector <c>Features</c> per text must do.</summary>
public abstract class TextVectorConformance
{
    /// <summary>The context.</summary>
    protected MLContext Ml { get; } = new(seed: 1);

    /// <summary>The transformer, fitted on the rows of <see cref="Tables"/>; of this test alone.</summary>
    protected abstract MoeTransformer Transformer { get; }

    [Fact]
    public void APredictionEngineGivesTheSameVectorsAsATable()
    {
        var expected = TextVectors.Of(Ml, Transformer);
        using var engine = Ml.Model.CreatePredictionEngine<Row, TextVectors>(
            Transformer, new PredictionEngineOptions { OwnsTransformer = false });
        foreach (var (row, vector) in Tables.Rows().Zip(expected))
        {
            var actual = engine.Predict(row).Features;
            Assert.Equal(vector.Length, actual.Length);
            Assert.All(vector.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
        }
    }

    [Fact]
    public void SeveralCursorsAtOnceGiveTheSameVectors()
    {
        var expected = TextVectors.Of(Ml, Transformer);
        Parallel.For(0, 4, _ => Assert.Equal(expected, TextVectors.Of(Ml, Transformer)));
    }

    [Fact]
    public void OnlyWantedColumnsAreComputed()
    {
        var transformed = Transformer.Transform(Ml.Data.LoadFromEnumerable(Tables.Rows()));
        Assert.Equal(Enumerable.Range(0, 90), transformed.GetColumn<int>("Id"));
        Assert.Equal(0, Transformer.ScoringCalls);
        Assert.Equal(90, transformed.GetColumn<float[]>("Features").Count());
        Assert.Equal(1, Transformer.ScoringCalls);
    }

    [Fact]
    public void EveryTextHasAVectorEvenAMissingOne()
    {
        var vectors = TextVectors.Of(Ml, Transformer, null, "", " ", "rain", string.Join(' ', Enumerable.Repeat("storm", 10_000)));
        Assert.All(vectors, v => Assert.All(v, x => Assert.True(float.IsFinite(x))));
        Assert.Equal(vectors[0], vectors[1]);
    }
}
