using Microsoft.ML.Moe.Tests.RoutingReports;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.Moe.Tests.TextClassification;

/// <summary>Routing reports of fitted transformers.</summary>
public sealed class ReportRoutingTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void It_reports_on_every_row_without_a_label()
    {
        using var model = Tests.Models.Fit(_ml, o => (o.Layers, o.Experts) = (2, 3));
        var rows = Tables.Rows(300, seed: 4);
        var data = _ml.Data.LoadFromEnumerable(rows.Select(r => new FreshProcess.TextOnly { Text = r.Text }));

        var report = model.LastTransformer.ReportRouting(data, new() { UncertainThreshold = 0 });

        var words = rows.Sum(r => r.Text!.Split(' ').Length);
        Assert.Equal((300, words + 300, 3), (report.Rows, report.Tokens, report.Experts));
        Assert.Equal([0, 1], report.Layers.Select(l => l.Block));
        Assert.All(report.Layers, layer =>
        {
            Assert.Equal(report.Tokens, layer.Pairs); // one expert for each token
            Assert.Equal(("[start]", 300), (layer.MostUncertainTokens[0].Text, layer.MostUncertainTokens[0].Count));
            var soup = layer.MostUncertainTokens.Single(t => t.Text == "soup");
            Assert.Equal(rows.Sum(r => r.Text!.Split(' ').Count(w => w == "soup")), soup.Count);
        });
    }

    [Fact]
    public void Subwords_of_a_vocabulary_are_told_as_they_stand_there()
    {
        using var model = Tests.Models.Fit(_ml, o => o.Tokenizer = TextTokenizer.FromWordPieceVocabulary(TestVocabulary.Stream()));
        var data = _ml.Data.LoadFromEnumerable(new[] { new Row { Text = "storm ticket?" } });

        var layer = model.LastTransformer.ReportRouting(data, new() { UncertainThreshold = 0 }).Layers[0];

        var texts = layer.MostUncertainTokens.Select(t => t.Text).Order(StringComparer.Ordinal);
        Assert.Equal(["##et", "##orm", "[UNK]", "[start]", "st", "tick"], texts);
    }

    [Fact]
    public void Any_tokenizer_tells_texts_by_decoding()
    {
        var pieces = WordPieceTokenizer.Create(TestVocabulary.Stream());
        var tokenizer = TextTokenizer.FromTokenizer("mine", pieces, TestVocabulary.Pieces.Length);
        Assert.Equal("rain", tokenizer.TextOf(5));
    }

    [Fact]
    public void Ids_of_a_tokenizer_are_checked()
    {
        var tokenizer = TextTokenizer.FromWordPieceVocabulary(TestVocabulary.Stream());
        Assert.Equal("##orm", tokenizer.TextOf(9));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.TextOf(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.TextOf(tokenizer.VocabularySize));
    }

    [Fact]
    public void An_empty_table_gives_an_empty_report_that_can_be_shown()
    {
        using var model = Tests.Models.Fit(_ml);
        var report = model.LastTransformer.ReportRouting(_ml.Data.LoadFromEnumerable(Array.Empty<Row>()));

        Assert.Equal((0, 0), (report.Rows, report.Layers[0].Tokens));
        Assert.Contains("No token was uncertain.", report.ToHtml(), StringComparison.Ordinal);
        Assert.Contains("No tokens were sampled.", report.ToHtml(), StringComparison.Ordinal);
        Assert.DoesNotContain("NaN", TextTests.Text(report), StringComparison.Ordinal);
    }

    [Fact]
    public void One_expert_can_be_shown_too()
    {
        using var model = Tests.Models.Fit(_ml, o => o.Experts = 1);
        var report = model.LastTransformer.ReportRouting(_ml.Data.LoadFromEnumerable(Tables.Rows()));

        Assert.Equal((0, 1, 0), (report.MaximumEntropy, report.Layers[0].LoadBalancing, report.Layers[0].UncertainShare));
        Assert.Contains("There is one expert only.", report.ToHtml(), StringComparison.Ordinal);
        Assert.DoesNotContain("NaN", TextTests.Text(report), StringComparison.Ordinal);
    }

    [Fact]
    public void Impossible_input_is_named()
    {
        using var model = Tests.Models.Fit(_ml);
        var transformer = model.LastTransformer;
        Assert.Throws<ArgumentNullException>(() => transformer.ReportRouting(null!));
        var textless = _ml.Data.LoadFromEnumerable(new[] { new FreshProcess.ScoreOnly() });
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => transformer.ReportRouting(textless));
        Assert.Contains("no text column 'Text'", error.Message, StringComparison.Ordinal);
        var data = _ml.Data.LoadFromEnumerable(Tables.Rows());
        error = Assert.Throws<ArgumentOutOfRangeException>(() => transformer.ReportRouting(data, new() { UncertainThreshold = 1.5 }));
        Assert.Contains("UncertainThreshold", error.Message, StringComparison.Ordinal);
        Assert.Throws<OperationCanceledException>(() => transformer.ReportRouting(data, cancellationToken: new CancellationToken(true)));

        using var dense = Tests.Models.Fit(_ml, o => o.MoeEvery = 0);
        var without = Assert.Throws<InvalidOperationException>(() => dense.LastTransformer.ReportRouting(data));
        Assert.Contains("no MoE layers", without.Message, StringComparison.Ordinal);

        transformer.Dispose();
        Assert.False(transformer.IsModelAlive);
        Assert.Throws<ObjectDisposedException>(() => transformer.ReportRouting(data));
    }
}
