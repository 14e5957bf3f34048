using Microsoft.ML.Data;
using Microsoft.ML.Moe.Cluster;

namespace Microsoft.ML.Moe.Tests.Cluster;

/// <summary>Tables that differ anywhere have other digests.</summary>
public sealed class TableDigestTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void The_same_rows_have_the_same_digest_and_others_another()
    {
        var digest = DigestOf(_ => { });
        Assert.StartsWith("3 rows ", digest, StringComparison.Ordinal);
        Assert.Equal(digest, DigestOf(_ => { }));
        Action<Record[]>[] changes =
        [
            rows => rows[2].Number = 1.0000001f,
            rows => rows[0].Text = "b",
            rows => (rows[0].Text, rows[0].Other) = ("ax", "y"),
            rows => rows[1].Flag = true,
            rows => rows[1].Count = 8,
            rows => rows[1].Numbers = [1, 2],
            rows => rows[1].Numbers[2] = -3,
            rows => rows[1].Words = ["", "oneone"],
            rows => (rows[0], rows[2]) = (rows[2], rows[0]),
        ];
        Assert.All(changes, change => Assert.NotEqual(digest, DigestOf(change)));
        Assert.Equal(changes.Length, changes.Select(DigestOf).Distinct().Count());
    }

    [Fact]
    public void Names_types_and_number_of_rows_count()
    {
        var data = _ml.Data.LoadFromEnumerable(Rows());
        var digest = TableDigest.Of(data);
        Assert.NotEqual(digest, TableDigest.Of(_ml.Data.TakeRows(data, 2)));
        Assert.NotEqual(digest, TableDigest.Of(_ml.Transforms.DropColumns("Flag").Fit(data).Transform(data)));
        Assert.NotEqual(digest, TableDigest.Of(_ml.Transforms.Conversion.MapValueToKey("Text").Fit(data).Transform(data)));
    }

    private static Record[] Rows() => [new(), new() { Number = 2 }, new() { Number = 1, Text = "c" }];

    private string DigestOf(Action<Record[]> change)
    {
        var rows = Rows();
        change(rows);
        return TableDigest.Of(_ml.Data.LoadFromEnumerable(rows));
    }

    private sealed class Record
    {
        public float Number { get; set; }

        public string Text { get; set; } = "a";

        public string Other { get; set; } = "xy";

        public bool Flag { get; set; }

        public long Count { get; set; } = 7;

        public float[] Numbers { get; set; } = [1, 2, 3];

        public string[] Words { get; set; } = ["one", "one"];
    }
}
