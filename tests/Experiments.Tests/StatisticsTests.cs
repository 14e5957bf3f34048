using Microsoft.ML.Moe.Experiments.Reporting;

namespace Microsoft.ML.Moe.Experiments.Tests;

public class StatisticsTests
{
    [Fact]
    public void The_standard_error_is_the_deviation_over_the_root_of_the_count()
    {
        // 1…5: deviation √2.5
        var sample = new Sample([0.01, 0.02, 0.03, 0.04, 0.05]);
        Assert.Equal(0.03, sample.Mean, 12);
        Assert.Equal(Math.Sqrt(2.5 / 5) / 100, sample.StandardError, 12);
        Assert.Equal("3.00 ± 0.71", sample.InPercent());
    }

    [Fact]
    public void A_single_value_has_no_error_and_none_is_a_dash()
    {
        Assert.Equal("50.00", new Sample([0.5]).InPercent());
        Assert.Equal("–", new Sample([]).InPercent());
    }

    [Fact]
    public void The_paired_test_finds_the_p_of_the_tables()
    {
        // t = 3/√0.5 = 4.2426 with 4 degrees of freedom: p = 0.01324
        var test = new PairedTest(new Sample([0.01, 0.02, 0.03, 0.04, 0.05]));
        Assert.Equal(0.01324, test.P, 5);
        Assert.Equal("+3.00 ± 0.71, p = 0.013", test.InPointsWithP());
    }

    [Fact]
    public void Only_values_with_the_same_key_are_paired()
    {
        var first = new Dictionary<int, double> { [1] = 0.5, [2] = 0.6, [3] = 0.9 };
        var second = new Dictionary<int, double> { [2] = 0.5, [1] = 0.6, [4] = 0.1 };
        Assert.Equal([-0.1, 0.1], PairedTest.Of(first, second).Differences.Values.Select(d => Math.Round(d, 12)));
    }

    [Fact]
    public void Equal_arms_differ_by_nothing_and_one_pair_has_no_p()
    {
        Assert.Equal("0.00 ± 0.00, p = 1.000", new PairedTest(new Sample([0, 0, 0])).InPointsWithP());
        Assert.Equal("−1.00", new PairedTest(new Sample([-0.01])).InPointsWithP());
        Assert.Equal("−1.00 ± 0.00, p < 0.001", new PairedTest(new Sample([-0.01, -0.01])).InPointsWithP());
        Assert.Equal("–", new PairedTest(new Sample([])).InPointsWithP());
    }

    [Fact]
    public void A_table_is_Markdown()
    {
        var table = new MarkdownTable("a", "b");
        table.Add("1", "2");
        Assert.Equal("| a | b |\n|---|---|\n| 1 | 2 |\n", table.ToString());
    }
}
