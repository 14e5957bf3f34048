using Samples;

namespace ImageClassification.Tests;

public sealed class ImageFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_folder_for_each_class_is_read()
    {
        Image("cat", "a.png");
        Image("cat", "b.JPG");
        Image("cat", "notes.txt");
        Image("dog", "c.bmp");
        Assert.Equal(
            [("a.png", "cat"), ("b.JPG", "cat"), ("c.bmp", "dog")],
            ImageFiles.Find(_folder.Path).Select(file => (Path.GetFileName(file.Path), file.Label)));
    }

    [Fact]
    public void A_table_names_paths_relative_to_itself()
    {
        var table = _folder.Write("train.tsv", "Id\tLabel\tImagePath\n1\tcat\timages/a.png\n\n2\tdog\timages/b.png\n");
        Assert.Equal(
            [(Path.Combine(_folder.Path, "images/a.png"), "cat"), (Path.Combine(_folder.Path, "images/b.png"), "dog")], ImageFiles.Find(table));
    }

    [Fact]
    public void Files_are_read_when_their_row_is()
    {
        Image("cat", "a.png");
        Image("cat", "b.png");
        Image("dog", "c.png");
        Image("dog", "d.png");
        var examples = ImageFiles.Load(_folder.Path, test: null, seed: 1);
        Assert.Equal((2, 2), (examples.Train.Count, examples.Test.Count));
        Assert.All(examples.Train, example => Assert.Equal([1, 2, 3], example.Features));
        File.Delete(examples.Test.First().Name.Trim());
        Assert.Contains("There is no image", Assert.Throws<UserException>(() => examples.Test.ToList()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "should begin with a line")]
    [InlineData("Label\tPath\ncat\ta.png", "should begin with a line")]
    [InlineData("Label\tImagePath\ncat", "Line 2 of")]
    [InlineData("Label\tImagePath\n", "no images")]
    public void A_table_without_images_is_explained(string content, string explanation)
    {
        var error = Assert.Throws<UserException>(() => ImageFiles.Find(_folder.Write("table.tsv", content)));
        Assert.Contains(explanation, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_to_be_found_is_explained()
    {
        Assert.Contains("no images", Assert.Throws<UserException>(() => ImageFiles.Find(_folder.Path)).Message, StringComparison.Ordinal);
        Assert.Contains("no folder", Assert.Throws<UserException>(() => ImageFiles.Find(Path.Combine(_folder.Path, "x"))).Message, StringComparison.Ordinal);
        Image("cat", "a.png");
        Assert.Contains("only one image of 'cat'", Assert.Throws<UserException>(() => ImageFiles.Load(_folder.Path, null, 1)).Message, StringComparison.Ordinal);
    }

    private void Image(string label, string name)
    {
        Directory.CreateDirectory(Path.Combine(_folder.Path, label));
        File.WriteAllBytes(Path.Combine(_folder.Path, label, name), [1, 2, 3]);
    }
}
