using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Tests.Inputs.Features;

/// <summary>What slots are found to be.</summary>
public sealed class FeatureMeasurementTests
{
    [Fact]
    public void Constant_repeated_and_empty_slots_are_left_out()
    {
        var config = Measure(Enumerable.Range(0, 20).Select(i => new[] { i, 7f, i, float.NaN, i % 2, 0f }));
        Assert.Equal([0], config.Numbers.Select(n => n.Slot));
        Assert.Equal([4], config.Binaries.Select(b => b.Slot));
        Assert.Empty(config.MissingSlots);
    }

    [Fact]
    public void Missing_values_get_the_median_and_are_told()
    {
        var config = Measure([[1f], [float.NaN], [2f], [9f], [3f], [float.NaN]]);
        Assert.Equal([0], config.MissingSlots);
        Assert.Equal(2f, config.Numbers.Single().Missing);
        Assert.Equal(2f, config.Numbers.Single().Complete(float.NaN));
    }

    [Fact]
    public void Two_values_become_0_and_1_whatever_they_are()
    {
        var binary = Measure([[-5f], [3f], [3f], [-5f], [3f]]).Binaries.Single();
        Assert.Equal([0f, 1f, 0.5f, 1f, 0f, 1f], new[] { -5f, 3f, -1f, 100f, float.NegativeInfinity, float.NaN }.Select(binary.Scale));
    }

    [Fact]
    public void One_huge_value_does_not_flatten_the_others()
    {
        var values = Enumerable.Range(0, 2000).Select(i => new[] { i == 0 ? 1e30f : i % 100 });
        var number = Measure(values).Numbers.Single();
        Assert.InRange(number.Deviation, 20, 40);
        Assert.True(number.Scale(99f) - number.Scale(0f) > 2);
        Assert.InRange(number.Scale(1e30f), 2.9f, 3f);
    }

    [Fact]
    public void A_few_values_have_an_edge_each()
    {
        var edges = ValueEdges.Of([1f, 2f, 5f], [10, 1, 1], 49);
        Assert.Equal([1f, 2f, 5f], edges);
    }

    [Fact]
    public void A_value_that_most_rows_share_takes_one_edge_and_leaves_the_others_to_the_rest()
    {
        float[] values = [.. Enumerable.Range(0, 1001).Select(i => (float)i)];
        int[] counts = [.. values.Select(value => value == 0f ? 10_000 : 1)];
        var edges = ValueEdges.Of(values, counts, 11);
        Assert.Equal(11, edges.Length);
        Assert.Equal(0f, edges[0]);
        // of plain quantiles nearly all would be 0
        Assert.All(edges[1..].Zip(edges[2..]), pair => Assert.InRange(pair.Second - pair.First, 80, 130));
        Assert.Equal(edges.Order(), edges);
    }

    [Fact]
    public void Edges_leave_out_the_outermost_thousandth()
    {
        float[] values = [.. Enumerable.Range(0, 10_000).Select(i => i == 9_999 ? 1e9f : i)];
        var edges = ValueEdges.Of(values, [.. values.Select(_ => 1)], 49);
        Assert.InRange(edges[^1], 9_900, 10_000);
        Assert.InRange(edges[0], 5, 15);
    }

    [Fact]
    public void A_value_lies_between_its_edges()
    {
        var number = new NumberSlot { Slot = 0, Mean = 0, Deviation = 1, Missing = 0, Least = 0, Most = 9, Edges = [0f, 2f, 10f] };
        Assert.Equal((0, 0f), number.Locate(-3f));
        Assert.Equal((0, 0.5f), number.Locate(1f));
        Assert.Equal((1, 0f), number.Locate(2f));
        Assert.Equal((1, 0.25f), number.Locate(4f));
        Assert.Equal((1, 1f), number.Locate(99f));
    }

    [Fact]
    public void One_hot_groups_are_found_by_name_and_only_where_rows_bear_it_out()
    {
        string[] names = ["Hue.red", "Hue.blue", "Size", "Flag.a", "Flag.b"];
        Assert.Equal([("Hue", 0, 1), ("Flag", 3, 4)], SlotGroups.ByName(names).Select(g => (g.Name, g.First, g.Last)));
        FeatureRow[] rows = [Row(1, 0, 3, 1, 1), Row(0, 1, 4, 0, 0), Row(0, 0, 5, 1, 0), Row(1, 0, 6, 0, 1)];
        var config = new FeatureMeasurement { SlotNames = names, Candidates = SlotGroups.ByName(names) }.Measure(rows);
        Assert.Equal(["Hue"], config.Groups.Select(group => group.Name));
        Assert.Equal("Flag.b", config.NameOf(4));
    }

    [Fact]
    public void Codes_of_a_category_have_a_column_for_each_known_value()
    {
        FeatureRow[] rows = [Row(7, 0, 1), Row(-2, 5, 0), Row(0, 9, 1), Row(7, float.NaN, 0), Row(0, 5, 1)];
        var config = new FeatureMeasurement { CategorySlots = new HashSet<int> { 0, 1, 2 } }.Measure(rows);
        Assert.Equal([(0, "-2 0 7"), (1, "0 5 9")], config.Categories.Select(category => (category.Slot, string.Join(' ', category.Values))));
        Assert.Equal([2], config.Binaries.Select(binary => binary.Slot));
        Assert.Empty(config.Numbers);
        Assert.Empty(config.MissingSlots);

        FeatureRow[] seen = [Row(0, 9, 1), Row(7, float.NaN, 0), Row(8, -1, 0), FeatureRow.Sparse(3, [1], [5f]), FeatureRow.Sparse(3, [], [])];
        var packed = ((FeatureBatch)new FeatureInput(config).CreatePacker(default).Pack(seen)).Direct.ToArray();
        // a column of two values, then those of −2, 0, 7 and of 0, 5, 9; neither a missing nor a new value has one
        Assert.Equal("1010001 0001000 0000000 0010010 0010100", string.Join(' ', packed.Chunk(7).Select(row => string.Concat(row))));
    }

    [Fact]
    public void Categories_of_too_many_values_are_named()
    {
        var measurement = new FeatureMeasurement { CategorySlots = new HashSet<int> { 1 }, SlotNames = ["Size", "Id"] };
        var error = Assert.Throws<InvalidOperationException>(
            () => measurement.Measure([.. Enumerable.Range(0, FeatureMeasurement.MostColumns + 1).Select(i => Row(i % 7, i))]));
        Assert.Contains("'Id'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_very_many_slots_those_that_few_rows_have_go_to_a_table()
    {
        var random = new Random(1);
        const int Slots = 100_000;
        FeatureRow[] rows = [.. Enumerable.Range(0, 600).Select(i =>
        {
            int[] filled = [0, .. Enumerable.Range(0, 12).Select(_ => 1 + random.Next(Slots - 1)).Distinct().Order()];
            return FeatureRow.Sparse(Slots, filled, [.. filled.Select(slot => slot == 0 ? i : 0.5f + random.NextSingle())]);
        })];
        var config = new FeatureMeasurement { Bins = 8 }.Measure(rows);
        Assert.Equal([0], config.Numbers.Select(number => number.Slot));
        Assert.Empty(config.Binaries);
        Assert.InRange(config.TableSlots.Length, 5_000, 8_000);
        Assert.All(config.TableSlots, slot => Assert.InRange(slot.Scale, 0.6f, 2f));
    }

    [Fact]
    public void Dense_and_sparse_rows_are_encoded_alike()
    {
        var random = new Random(2);
        float[][] values = [.. Enumerable.Range(0, 40).Select(_ =>
            Enumerable.Range(0, 12).Select(slot => random.Next(4) == 0 ? random.Next(9) - 4f : 0f).ToArray())];
        FeatureRow[] dense = [.. values.Select(row => FeatureRow.Dense(row))];
        FeatureRow[] sparse = [.. values.Select(row =>
        {
            int[] filled = [.. Enumerable.Range(0, 12).Where(slot => row[slot] != 0f)];
            return FeatureRow.Sparse(12, filled, [.. filled.Select(slot => row[slot])]);
        })];
        foreach (var width in new int?[] { null, 0 })
        {
            var input = new FeatureInput(new FeatureMeasurement { Bins = 4, EmbeddingWidth = width }.Measure(dense));
            var one = Encoded((FeatureBatch)input.CreatePacker(default).Pack(dense));
            var other = Encoded((FeatureBatch)input.CreatePacker(default).Pack(sparse));
            Assert.Equal(one, other);
        }

        static (string, string, string) Encoded(FeatureBatch batch) => (
            string.Join(' ', batch.Direct.ToArray()),
            string.Join(' ', batch.Affine.Weights.ToArray()),
            string.Join(' ', batch.Edges.Indices.ToArray()) + string.Join(' ', batch.Edges.Weights.ToArray()));
    }

    [Fact]
    public void Rows_say_what_is_wrong_with_them()
    {
        Assert.Throws<ArgumentException>(() => FeatureRow.Sparse(5, [3, 2], [1f, 1f]));
        Assert.Throws<ArgumentException>(() => FeatureRow.Sparse(5, [5], [1f]));
        Assert.Throws<ArgumentException>(() => FeatureRow.Sparse(5, [1], [1f, 2f]));
        Assert.Throws<ArgumentOutOfRangeException>(() => FeatureRow.Dense([]));
        var row = FeatureRow.Sparse(9, [2, 7], [5f, 6f]);
        Assert.Equal([0f, 5f, 6f, 0f], new[] { 0, 2, 7, 8 }.Select(slot => row[slot]));
        Assert.Throws<ArgumentOutOfRangeException>(() => row[9]);
        var input = new FeatureInput(Measure([[1f], [2f], [3f]]));
        Assert.Throws<ArgumentException>(() => input.CreatePacker(default).Pack([row]));
    }

    private static FeatureRow Row(params float[] values) => FeatureRow.Dense(values);

    private static FeatureInputConfig Measure(IEnumerable<float[]> rows) =>
        new FeatureMeasurement { Bins = 48 }.Measure([.. rows.Select(row => FeatureRow.Dense(row))]);
}
