using Microsoft.ML.Moe.LinearModels;
using Xunit;

namespace Microsoft.ML.Moe.Tests.LinearModels;

public class LinearFeaturesTests
{
    [Fact]
    public void AnIndex_FindsItsFeatures_AndNoOthers()
    {
        var random = new Random(1);
        ulong[] ids = [.. Enumerable.Range(0, 1000).Select(_ => (ulong)random.NextInt64(1L << LinearRow.HashBits)).Distinct().Order()];
        var index = new FeatureIndex(ids);
        for (var i = 0; i < ids.Length; i++)
            Assert.Equal(i, index.RowOf(ids[i]));
        Assert.Equal(-1, index.RowOf(ids[10] + 1));
        Assert.Equal(-1, new FeatureIndex([]).RowOf(7));
    }

    [Fact]
    public void AnIndex_RefusesWhatIsNotAscending_OrTooLarge()
    {
        Assert.Throws<ArgumentException>(() => new FeatureIndex([2, 1]));
        Assert.Throws<ArgumentException>(() => new FeatureIndex([1, 1]));
        Assert.Throws<ArgumentException>(() => new FeatureIndex([1UL << LinearRow.HashBits]));
    }

    [Fact]
    public void Values_AreTfIdfOfUnitLength()
    {
        // a in both rows, b in one; pairs ·a in both, a b in one
        LinearRow[] rows = [Rows.Of("a"), Rows.Of("a b")];
        var features = LinearFeatures.Of(rows, 2);
        Assert.Equal(4, features.Index.Count);
        var (common, rare) = (1.0, Math.Log(3 / 2.0) + 1);
        Assert.Equal(
            [common, common, rare, rare],
            features.Idf.ToArray().Order().Select(idf => (double)idf),
            (e, a) => Math.Abs(e - a) < 1e-5);
        var x = features.Transform(rows);
        Assert.Equal(features.Columns, x.Columns);
        Assert.Equal([Math.Sqrt(0.5), Math.Sqrt(0.5), 1], x.ValuesOf(0).ToArray().Select(v => (double)v), (e, a) => Math.Abs(e - a) < 1e-6);
        Assert.Equal(1.0, x.ValuesOf(1)[..4].ToArray().Sum(v => v * v), 5);
    }

    [Fact]
    public void UnknownFeatures_AreLeftOut()
    {
        var features = LinearFeatures.Of([Rows.Of("a b")], 2);
        var x = features.Transform([Rows.Of("c d"), LinearRow.Empty]);
        Assert.Equal([features.Columns - 1], x.IndicesOf(0).ToArray());
        Assert.Equal([features.Columns - 1], x.IndicesOf(1).ToArray());
    }

    [Fact]
    public void WhereThereAreTooMany_TheMostFrequentStay()
    {
        var rows = Enumerable.Range(0, 40).Select(i => Rows.Of($"common unique{i}")).ToList();
        var features = LinearFeatures.Of(rows, (int)(LinearFeatures.MaximumValues / 2));
        Assert.Equal(2, features.Index.Count);
        Assert.All(features.Idf.ToArray(), idf => Assert.Equal(1f, idf));
    }

    [Fact]
    public void CountsOfPairs_AreStandardisedAndBounded()
    {
        LinearRow[] rows = [Rows.Of("a b", "a b"), Rows.Of("a b", "c d"), Rows.Of("a b", "a c")];
        var features = LinearFeatures.Of(rows, 2);
        var x = features.Transform([.. rows, Rows.Of("a", string.Join(' ', Enumerable.Range(0, 2000)))]);
        for (var count = 0; count < PairCounts.Number; count++)
        {
            var column = Enumerable.Range(0, 3).Select(row => (double)x.ValuesOf(row)[^(PairCounts.Number + 1 - count)]).ToArray();
            Assert.Equal(0, column.Average(), 5);
            Assert.Equal(column.All(v => v == 0) ? 0 : 1, column.Average(v => v * v), 4);
        }

        Assert.All(x.ValuesOf(3).ToArray(), value => Assert.InRange(value, -5f, 5f));
    }
}
