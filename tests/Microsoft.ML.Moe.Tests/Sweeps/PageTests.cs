using System.Xml.Linq;
using Microsoft.ML.Moe.Reports;

namespace Microsoft.ML.Moe.Tests.Sweeps;

/// <summary>The page of a sweep.</summary>
public sealed class PageTests
{
    [Fact]
    public void A_page_is_well_formed_runs_nothing_and_shows_every_trial()
    {
        var page = Result(30).ToHtml();
        Assert.Contains("default-src 'none'", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("http://", page, StringComparison.Ordinal);
        var document = Parse(page);
        Assert.Equal(30, document.Descendants("circle").Count());
        Assert.Equal(["Axis", "Rate"], document.Descendants("text").Where(text => (string?)text.Attribute("class") == "middle").Select(text => text.Value).Order());
        Assert.Equal(1 + 30, document.Descendants("path").Count(path => ((string?)path.Attribute("class"))!.StartsWith("line", StringComparison.Ordinal)));
        Assert.Contains("Trial 29 is the best: LogLoss 0.0100, the defaults 0.3000.", document.Value, StringComparison.Ordinal);
        Assert.Contains("30 trials in 60 s: 20 completed, 10 stopped at a rung.", document.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void What_an_option_or_an_error_says_stays_text()
    {
        const string Hostile = "</td><script>alert(1)</script>&\u202e";
        var trials = Result(8).Trials.Append(new SweepTrial(8, new Dictionary<string, string> { [Hostile] = Hostile }) { Verdict = SweepVerdict.Failed, Error = Hostile });
        var page = new SweepResult([.. trials], SweepMetric.LogLoss, null, default).ToHtml();
        Assert.DoesNotContain("<script", page, StringComparison.Ordinal);
        Assert.DoesNotContain("\u202e", page, StringComparison.Ordinal);
        Parse(page);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_sweep_that_has_just_begun_has_a_page(int trials) => Parse(Result(trials).ToHtml());

    [Fact]
    public void The_option_that_decides_is_the_most_important()
    {
        var importance = SweepImportance.Of(Result(30, isStopping: false));
        Assert.Equal(["Rate", "Axis"], importance.Select(option => option.Option));
        Assert.True(importance[0].Share > 0.8);
        Assert.InRange(importance[1].Share, 0, 0.3);
        Assert.Empty(SweepImportance.Of(Result(5)));
    }

    // the rate alone decides; of those that stop, every third does
    private static SweepResult Result(int count, bool isStopping = true) => new(
        [
            .. Enumerable.Range(0, count).Select(number => new SweepTrial(number, new Dictionary<string, string>
            {
                ["Rate"] = $"{0.3 - number * 0.01:0.####}",
                ["Axis"] = (number % 2 == 0) ? "even" : "odd",
                ["Same"] = "1",
            })
            {
                Verdict = isStopping && number % 3 == 1 ? SweepVerdict.Stopped : SweepVerdict.Completed,
                Loss = isStopping && number % 3 == 1 ? null : 0.3 - number * 0.01,
                Epochs = [new SweepEpoch(1, 9, 1, 0.3 - number * 0.01)],
            }),
        ],
        SweepMetric.LogLoss,
        null,
        TimeSpan.FromSeconds(60));

    private static XElement Parse(string page) => XElement.Parse(
        page.Replace("<!doctype html>", "", StringComparison.Ordinal)
            .Replace("<meta charset=\"utf-8\">", "", StringComparison.Ordinal)
            .Split('\n').Where(line => !line.StartsWith("<meta", StringComparison.Ordinal)).Aggregate((all, line) => all + "\n" + line));
}
