using Microsoft.ML;
using MoeTool.Data;

namespace MoeTool.Tests;

public class ImageFilesTests : FolderTests
{
    private static readonly SourceColumn PathColumn = new("file", "ImagePath", "--path");
    private static readonly SourceColumn LabelColumn = new("kind", "Label", "--label");
    private readonly MLContext _ml = new(1);

    [Fact]
    public void A_folder_for_each_class_is_read()
    {
        Image("cat", "a.png");
        Image("cat", "b.JPG");
        Image("cat", "notes.txt");
        Image("dog", "c.bmp");
        Assert.Equal(
            [("a.png", "cat"), ("b.JPG", "cat"), ("c.bmp", "dog")],
            Find(Folder).Select(image => (Path.GetFileName(image.ImagePath), image.Label)));
    }

    [Fact]
    public void A_table_names_paths_relative_to_itself()
    {
        Image("images", "a.png");
        Image("images", "b.png");
        var table = Write("train.tsv", "Id\tkind\tfile\n1\tcat\timages/a.png\n\n2\tdog\timages/b.png\n");
        Assert.Equal(
            [(Path.Combine(Folder, "images/a.png"), "cat"), (Path.Combine(Folder, "images/b.png"), "dog")],
            Find(table).Select(image => (image.ImagePath, image.Label)));
    }

    [Fact]
    public void A_fifth_of_each_class_is_held_out_and_the_seed_says_which()
    {
        ImageRow[] images = [.. Enumerable.Range(0, 60).Select(n => new ImageRow { Label = n < 20 ? "cat" : "dog", ImagePath = $"{n}" })];
        var (train, test) = ImageFiles.Split(images, seed: 1);
        Assert.Equal((48, 12), (train.Count, test.Count));
        Assert.Equal(4, test.Count(image => image.Label == "cat"));
        Assert.Equal(60, train.Concat(test).Distinct().Count());
        Assert.Equal(test.Select(image => image.ImagePath), ImageFiles.Split(images, seed: 1).Test.Select(image => image.ImagePath));
        Assert.NotEqual(test.Select(image => image.ImagePath), ImageFiles.Split(images, seed: 2).Test.Select(image => image.ImagePath));
        Assert.Contains("only one image of 'cat'", Assert.Throws<UserException>(() => ImageFiles.Split(images[19..], 1)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("kind\tpath\ncat\ta.png\n", "no column 'file'; choose one with --path")]
    [InlineData("kind\tfile\n", "no rows")]
    [InlineData("kind\tfile\ncat\tmissing.png\n", "There is no image")]
    [InlineData("kind\tfile\ncat\t\n", "has no path")]
    public void A_table_without_images_is_explained(string content, string explanation) => Assert.Contains(
        explanation, Assert.Throws<UserException>(() => Find(Write("table.tsv", content))).Message, StringComparison.Ordinal);

    [Fact]
    public void Nothing_to_be_found_is_explained()
    {
        Assert.Contains("no images", Assert.Throws<UserException>(() => Find(Folder)).Message, StringComparison.Ordinal);
        Assert.Contains("no folder", Assert.Throws<UserException>(() => Find(Path.Combine(Folder, "x"))).Message, StringComparison.Ordinal);
    }

    private IReadOnlyList<ImageRow> Find(string data) => ImageFiles.Find(_ml, data, PathColumn, LabelColumn);

    private void Image(string label, string name) => Write(Path.Combine(label, name), "");
}
