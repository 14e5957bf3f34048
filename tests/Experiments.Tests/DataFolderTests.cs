using Microsoft.ML.Moe.Experiments.Data;

namespace Microsoft.ML.Moe.Experiments.Tests;

public class DataFolderTests
{
    [Fact]
    public void A_data_set_is_read_from_its_folder_and_thinned_evenly()
    {
        using var folder = new TemporaryFolder();
        folder.Write("movie_sentences/train.tsv", ["Label\tText", "a\tone", "a\ttwo", "b\tthree\ttabbed", "b\tfour"]);
        folder.Write("movie_sentences/test.tsv", ["Label\tText", "a\tx", "b\ty"]);
        var data = new DataFolder(folder.Path, rows: 2).Load(DataFolder.MovieSentences);
        Assert.Equal([new("a", "one"), new("b", "three\ttabbed")], data.Train);
        Assert.Equal([new("a", "x"), new("b", "y")], data.Test);
        Assert.Equal(2, data.Classes);
    }

    [Fact]
    public void What_is_missing_or_wrong_is_named()
    {
        using var folder = new TemporaryFolder();
        var data = new DataFolder(folder.Path, rows: null);
        Assert.Contains("snips.train.tsv", Error(() => data.Load(DataFolder.Snips)), StringComparison.Ordinal);
        Assert.Contains("corpus", Error(data.Corpus), StringComparison.Ordinal);
        folder.Write("snips/snips.train.tsv", ["Label\tText", "a\tone", "two"]);
        Assert.Contains("line 3", Error(() => data.Load(DataFolder.Snips)), StringComparison.Ordinal);
    }

    private static string Error(Func<object> load) => Assert.Throws<UserException>(load).Message;

    [Fact]
    public void The_corpus_is_all_lines_but_licences_and_blank_ones()
    {
        using var folder = new TemporaryFolder();
        folder.Write("corpus/b.txt", ["three"]);
        folder.Write("corpus/a.txt", ["one", " ", "two"]);
        folder.Write("corpus/a.LICENSE.txt", ["all rights"]);
        Assert.Equal(["one", "two", "three"], new DataFolder(folder.Path, rows: null).Corpus());
    }

    [Fact]
    public void Examples_are_drawn_by_class_and_seed()
    {
        Sentence[] train =
            [.. Enumerable.Range(0, 20).Select(i => new Sentence("a", $"a{i}")), new("b", "b0"), new("b", "b1")];
        var data = new DataSet("set", train, []);
        var drawn = data.WithExamples(3, seed: 1);
        Assert.Equal(3, drawn.Train.Count(row => row.Label == "a"));
        Assert.Equal(2, drawn.Train.Count(row => row.Label == "b"));
        Assert.Equal(drawn.Train, data.WithExamples(3, seed: 1).Train);
        Assert.NotEqual(drawn.Train, data.WithExamples(3, seed: 2).Train);
    }

    [Fact]
    public void A_test_label_that_no_training_row_has_is_an_error()
    {
        var error = Assert.Throws<UserException>(() => new DataSet("set", [new("a", "x")], [new("c", "y")]));
        Assert.Contains("'c'", error.Message, StringComparison.Ordinal);
    }
}
