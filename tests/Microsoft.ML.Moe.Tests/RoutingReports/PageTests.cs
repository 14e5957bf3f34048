using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tests.RoutingReports;

/// <summary>The page of a routing report.</summary>
public sealed partial class PageTests
{
    private const string Hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&";

    [Fact]
    public void Token_texts_never_become_markup()
    {
        var page = Reports.With(Hostile).ToHtml();

        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<img", page, StringComparison.OrdinalIgnoreCase);
        Assert.Contains($"<bdi>{Hostile}</bdi>", WebUtility.HtmlDecode(page), StringComparison.Ordinal);
        Assert.Contains(">&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("&lt;", "&amp;lt;")]
    [InlineData("a\" 'b", "a&quot; &#x27;b")]
    [InlineData("[red]word[/]", "[red]word[/]")]
    [InlineData(":heart:", ":heart:")]
    [InlineData("\u001b[31m", "\\u001b[31m")]
    [InlineData("a\u202Eb", "a\\u202eb")]
    public void Charts_show_token_texts_as_they_are(string token, string encoded) =>
        Assert.Contains(
            $"title=\"{encoded}\"><bdi class=\"label\">{encoded}</bdi>", ChartsOf(Reports.With(token).ToHtml())[3], StringComparison.Ordinal);

    [Theory]
    [InlineData("\u001b[31mred\n", "\\u001b[31mred\\u000a")]
    [InlineData("a\u202Eb\u2066", "a\\u202eb\\u2066")]
    [InlineData("日本 🎈 क्\u200dष", "日本 🎈 क्\u200dष")]
    public void Invisible_characters_that_could_mislead_are_shown_as_escapes(string token, string shown)
    {
        Assert.Contains($"<bdi>{shown}</bdi>", WebUtility.HtmlDecode(Reports.With(token).ToHtml()), StringComparison.Ordinal);
        Assert.Contains(shown, TextTests.Text(Reports.With(token)), StringComparison.Ordinal);
    }

    [Fact]
    public void Half_a_surrogate_pair_is_shown_as_a_replacement_character() =>
        Assert.Contains("<bdi>x\ufffdy</bdi>", WebUtility.HtmlDecode(Reports.With("x\ud800y").ToHtml()), StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("\u200d")]
    [InlineData("\ufeff\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301")]
    [InlineData("a\u2028b")]
    [InlineData("x\ud800y")]
    public void A_token_text_of_no_or_doubtful_width_leaves_its_bar_in_place(string token) =>
        Assert.Equal("7", Assert.Single(BarsOf(ChartsOf(Reports.With(token).ToHtml())[3])).Value);

    [Fact]
    public void Charts_have_a_picture_of_nothing_too()
    {
        var report = Reports.With("word");
        var page = (report with { Layers = [report.Layers[0] with { Tokens = 0, EntropyHistogram = [new(0, 1, 0, 0)] }] }).ToHtml();

        Assert.Equal([("0.00 – 1.00", "0.0 %", "first", "0")], BarsOf(ChartsOf(page)[2]));
    }

    [Fact]
    public void Every_layer_has_its_charts()
    {
        var report = Reports.With("word");
        var page = (report with { Layers = [report.Layers[0], report.Layers[0] with { Block = 7 }] }).ToHtml();

        var parts = page.Split("<section>");
        Assert.Equal(4, parts.Length); // the first is the head, the second the overview
        Assert.Contains("<h2>Block 7</h2>", parts[3], StringComparison.Ordinal);
        Assert.All(parts[2..], part => Assert.Equal(4, ChartsOf(part).Count));
    }

    [Fact]
    public void It_is_one_file_that_loads_nothing_and_runs_nothing()
    {
        var page = Reports.With("word").ToHtml();

        Assert.DoesNotMatch(@"<(script|link|img|iframe|object|embed|base)\b", page);
        Assert.DoesNotMatch(@"<[^>]+\s(src|href|action|on\w+)\s*=", page);
        Assert.DoesNotMatch(@"@import|url\(", page);
        Assert.Contains(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            page,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Bars_are_as_long_as_their_shares_of_the_longest_and_labelled_with_the_report_s_numbers()
    {
        var page = Reports.With("word").ToHtml();

        var charts = ChartsOf(page);
        Assert.Equal(4, charts.Count);
        // expert 3 has the most, 40 %
        Assert.Equal(
            [
                ("expert 0", "10.0 %", "first", "25"), ("expert 0", "25.0 %", "second", "62.5"),
                ("expert 1", "20.0 %", "first", "50"), ("expert 1", "25.0 %", "second", "62.5"),
                ("expert 2", "30.0 %", "first", "75"), ("expert 2", "25.0 %", "second", "62.5"),
                ("expert 3", "40.0 %", "first", "100"), ("expert 3", "25.0 %", "second", "62.5"),
                ("even split", "25.0 %", "reference", "62.5"),
            ],
            BarsOf(charts[0]));
        Assert.Equal([("0 experts", "10.0 %", "first", "11.11"), ("1 expert", "90.0 %", "first", "100")], BarsOf(charts[1]));
        // the threshold divides the second bin: 40,000, 1,678 and 4,000 tokens
        Assert.Equal(
            [
                ("0.00 – 0.50", "87.6 %", "first", "100"),
                ("0.50 – 1.00", "3.7 %", "first", "4.2"), ("0.50 – 1.00", "8.8 %", "second", "10"),
            ],
            BarsOf(charts[2]));
        Assert.Equal([("word", "7", "second", "100")], BarsOf(charts[3]));
        Assert.Contains("<td>40.0 %</td>", page, StringComparison.Ordinal);
        Assert.Contains(
            "1,234 rows, 45,678 tokens (9 more were cut off); 4 experts; router: Unified, 1.5 experts per token, α 0.5.",
            page,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_group_s_label_is_seen_once_and_every_bar_says_what_it_is_to_those_who_do_not_see_it()
    {
        var chart = ChartsOf(Reports.With("word").ToHtml())[0];

        Assert.Equal(
            ["label", "unseen"], Labels().Matches(chart).Where(label => label.Groups[2].Value == "expert 1").Select(l => l.Groups[1].Value));
        Assert.Equal(
            ["even split", "mean router probability", "share of pairs"],
            BarNames().Matches(chart).Select(bar => bar.Groups[1].Value).Distinct().Order());
    }

    [Fact]
    public void Matrices_are_shaded_tables_and_of_many_experts_only_the_largest_entries_are_listed()
    {
        var small = Reports.Of(3, []).ToHtml();
        Assert.Contains(
            "<td class=\"negative weak\" style=\"--shade:25%\" title=\"expert 0 with 1\">-0.25</td>", small, StringComparison.Ordinal);
        Assert.Contains(
            "<td class=\"positive strong\" style=\"--shade:90%\" title=\"expert 0 with 2\">0.90</td>", small, StringComparison.Ordinal);

        var medium = Reports.Of(40, []).ToHtml();
        Assert.Contains("style=\"--shade:90%\" title=\"expert 0 with 38: 0.90\"></td>", medium, StringComparison.Ordinal);

        var large = Reports.Of(300, []).ToHtml();
        Assert.DoesNotContain("class=\"matrix\"", large, StringComparison.Ordinal);
        Assert.Contains("The 20 largest of 300 × 300", large, StringComparison.Ordinal);
        Assert.Contains("the 24 most used", large, StringComparison.Ordinal);
        // the most used expert is the last
        Assert.Equal("expert 299", BarsOf(ChartsOf(large)[0])[0].Label);
        Assert.True(large.Length < 500_000, $"{large.Length} characters");
    }

    [Fact]
    public void It_is_the_same_in_every_culture()
    {
        var expected = Reports.With("I").ToHtml();
        var before = CultureInfo.CurrentCulture;
        try
        {
            var other = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            (other.NumberFormat.NumberDecimalSeparator, other.NumberFormat.NumberGroupSeparator) = (";", "'");
            (other.NumberFormat.NegativeSign, other.NumberFormat.PercentSymbol) = ("~", "p");
            CultureInfo.CurrentCulture = other;
            Assert.Equal(expected, Reports.With("I").ToHtml());
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void A_file_is_written_completely_or_not_at_all()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["report.html"], "old");

        Reports.With("word").SaveHtml(folder["report.html"]);

        Assert.Equal(Reports.With("word").ToHtml(), File.ReadAllText(folder["report.html"]));
        Assert.Equal(["report.html"], folder.Files);
        Assert.ThrowsAny<IOException>(() => Reports.With("word").SaveHtml(folder["missing/report.html"]));
        Assert.Throws<ArgumentNullException>(() => RoutingReportOutput.SaveHtml(null!, folder["report.html"]));
        Assert.Throws<ArgumentException>(() => Reports.With("word").SaveHtml(""));
    }

    private static List<string> ChartsOf(string page) => [.. ChartElement().Matches(page).Select(match => match.Groups[1].Value)];

    private static List<(string Label, string Value, string Color, string Width)> BarsOf(string chart) =>
    [
        .. BarRow().Matches(WebUtility.HtmlDecode(chart)).Select(
            bar => (bar.Groups["label"].Value, bar.Groups["value"].Value, bar.Groups["color"].Value, bar.Groups["width"].Value)),
    ];

    [GeneratedRegex("<table class=\"chart\"[^>]*>(.*?)</table>", RegexOptions.Singleline)]
    private static partial Regex ChartElement();

    [GeneratedRegex(
        "<bdi class=\"\\w+\">(?<label>[^<]*)</bdi>.*?<td class=\"value\">(?<value>.*?)</td>.*?"
        + "<div class=\"bar (?<color>\\w+)\" style=\"width:(?<width>[0-9.]+)%\">",
        RegexOptions.Singleline)]
    private static partial Regex BarRow();

    [GeneratedRegex("<bdi class=\"(\\w+)\">([^<]*)</bdi>")]
    private static partial Regex Labels();

    [GeneratedRegex("<span class=\"unseen\">([^<]*)</span></div>")]
    private static partial Regex BarNames();
}
