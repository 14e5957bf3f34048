using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Tests.Inputs;

public sealed class SpanDenoisingTests
{
    private const int End = 1;
    private static readonly int[] Sentinels = [.. Enumerable.Range(1000, 40)];

    [Fact]
    public void WhatIsReadAndWhatIsWrittenAreTheText()
    {
        var random = new Random(1);
        for (var length = 2; length < 200; length++)
        {
            int[] ids = [.. Enumerable.Range(0, length).Select(_ => 10 + random.Next(900))];

            var row = new SpanDenoising(Sentinels, End).Apply(ids, random).Ids!;

            Assert.Equal(ids, Filled(row));
        }
    }

    [Theory]
    [InlineData(100, 15, 5)]
    [InlineData(20, 3, 1)]
    [InlineData(2, 1, 1)]
    [InlineData(64, 10, 3)]
    public void AShareIsHiddenInSpansOfAMeanLength(int length, int hidden, int spans)
    {
        // 0.15·length tokens, a third as many spans
        for (var seed = 0; seed < 20; seed++)
        {
            var row = new SpanDenoising(Sentinels, End).Apply([.. Enumerable.Range(10, length)], new Random(seed)).Ids!;

            Assert.Equal(spans, row.Ids.Count(id => id >= 1000));
            Assert.Equal(hidden + spans + 1, row.Targets!.Length);
            Assert.Equal(length - hidden + spans + 1, row.Ids.Length);
            Assert.Equal(10, row.Ids[0]);
            Assert.Equal(1000, row.Targets![0]);
            Assert.Equal(End, row.Ids[^1]);
            Assert.Equal(End, row.Targets![^1]);
        }
    }

    [Fact]
    public void AnyPlaceMayBeHiddenButTheFirst()
    {
        var hidden = new int[20];
        for (var seed = 0; seed < 2000; seed++)
        {
            var row = new SpanDenoising(Sentinels, End) { Share = 0.3, MeanSpan = 2 }.Apply([.. Enumerable.Range(10, 20)], new Random(seed)).Ids!;
            foreach (var id in row.Targets!.Where(id => id is >= 10 and < 1000))
                hidden[id - 10]++;
        }

        Assert.Equal(0, hidden[0]);
        Assert.Equal(2000, hidden[^1]);
        Assert.All(hidden[1..^1], count => Assert.InRange(count, 100, 1500));
    }

    [Fact]
    public void OneSeedHidesTheSame()
    {
        int[] ids = [.. Enumerable.Range(10, 50)];
        var denoising = new SpanDenoising(Sentinels, End);

        Assert.Equal(denoising.Apply(ids, new Random(3)).Ids!.Ids, denoising.Apply(ids, new Random(3)).Ids!.Ids);
        Assert.NotEqual(denoising.Apply(ids, new Random(3)).Ids!.Ids, denoising.Apply(ids, new Random(4)).Ids!.Ids);
    }

    [Fact]
    public void NoMoreSpansThanSentinels()
    {
        var row = new SpanDenoising([1000, 1001], End).Apply([.. Enumerable.Range(10, 200)], new Random(1)).Ids!;

        Assert.Equal([1000, 1001], row.Ids.Where(id => id >= 1000));
        Assert.Equal([.. Enumerable.Range(10, 200)], Filled(row));
    }

    [Fact]
    public void ImpossibleSettingsAreRefused()
    {
        Assert.Throws<ArgumentException>(() => new SpanDenoising([], End));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SpanDenoising(Sentinels, End) { Share = 1 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new SpanDenoising(Sentinels, End) { Share = double.NaN });
        Assert.Throws<ArgumentOutOfRangeException>(() => new SpanDenoising(Sentinels, End) { MeanSpan = 0.5 });
        Assert.Throws<ArgumentException>(() => new SpanDenoising(Sentinels, End).Apply([7], new Random(1)));
    }

    // what stands in the place of a sentinel is what is written after it
    private static IEnumerable<int> Filled(TokenIds row)
    {
        foreach (var id in row.Ids[..^1])
        {
            if (id < 1000)
            {
                yield return id;
                continue;
            }

            foreach (var hidden in row.Targets!.SkipWhile(t => t != id).Skip(1).TakeWhile(t => t is > End and < 1000))
                yield return hidden;
        }
    }
}
