using System.Text.RegularExpressions;

namespace Docs.Tests;

/// <summary>Pages hang together.</summary>
public sealed partial class PageTests
{
    public static TheoryData<string> Pages => [.. Page.All.Select(page => page.Path)];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Links_within_the_repository_lead_somewhere(string path)
    {
        var page = new Page(path);
        foreach (var link in page.Links.Where(link => !Address().IsMatch(link)))
        {
            var parts = link.Split('#');
            var target = parts[0].Length == 0 ? path : $"{Path.GetDirectoryName(path)}/{parts[0]}".TrimStart('/');
            Assert.True(Path.Exists(Page.Within(target)), $"{path} links to {link}, which does not exist.");
            if (parts.Length > 1)
                Assert.True(new Page(target).Anchors.Contains(parts[1]), $"{path} links to {link}: there is no such heading.");
        }
    }

    [Fact]
    public void Code_that_links_to_a_file_of_source_names_what_is_in_it()
    {
        foreach (var (_, name, file) in Page.All.SelectMany(page => CodeLink().Matches(page.Text)
            .Select(link => (page.Path, link.Groups["name"].Value, Path.GetFullPath(Page.Within(page.Path + "/../" + link.Groups["file"].Value))))))
        {
            var source = File.ReadAllText(file);
            Assert.All(name.Split('.'), part => Assert.Matches($@"\b{part}\b", source));
        }
    }

    [Fact]
    public void The_first_page_is_short() => Assert.InRange(new Page("README.md").Text.Split('\n').Length, 1, 111);

    [Theory]
    [InlineData("dotnet run --project samples/TextClassification")]
    [InlineData("dotnet test")]
    public void The_first_page_has_the_commands_that_a_newcomer_tries(string command) =>
        Assert.Contains(new Page("README.md").CodeBlocks, block => block.Language == "sh" && block.Code.Split('\n').Contains(command));

    [Fact]
    public void The_first_page_lists_every_other_page()
    {
        var listed = new Page("README.md").Links.ToHashSet();
        Assert.All(Page.All.Where(page => page.Path.StartsWith("docs/", StringComparison.Ordinal)), page => Assert.Contains(page.Path, listed));
    }

    // [`Type.Member`](path.cs)
    [GeneratedRegex(@"\[`(?<name>[\w.]+)`\]\((?<file>[\w./]+\.cs)\)")]
    private static partial Regex CodeLink();

    [GeneratedRegex("^[a-z]+:")]
    private static partial Regex Address();
}
