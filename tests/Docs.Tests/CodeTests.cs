using System.Globalization;
using System.Text.RegularExpressions;

[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Docs.Tests;

/// <summary>A folder with the files that blocks read, which is the process's current folder while tests of this class run.</summary>
public sealed class SampleFolder : IDisposable
{
    private readonly string _before = Environment.CurrentDirectory;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("moe-docs-");

    public SampleFolder()
    {
        Environment.CurrentDirectory = _folder.FullName;
        Samples.Write();
    }

    public void Dispose()
    {
        Environment.CurrentDirectory = _before;
        _folder.Delete(recursive: true);
    }
}

/// <summary>What pages show as code works.</summary>
public sealed partial class CodeTests : IClassFixture<SampleFolder>
{
    private static readonly Dictionary<string, Type> Setups = new()
    {
        ["context"] = typeof(Context),
        ["table"] = typeof(Table),
        ["ranks"] = typeof(Ranks),
        ["trained"] = typeof(Trained),
        ["images"] = typeof(Images),
        ["features"] = typeof(Features),
        ["generator"] = typeof(Generator),
        ["tuning"] = typeof(Tuning),
    };

    public static TheoryData<string> CSharpBlocks => [.. BlocksOf("csharp").Select(block => $"{block}")];

    public static TheoryData<string> ShellBlocks => [.. BlocksOf("sh").Select(block => $"{block}")];

    [Theory]
    [MemberData(nameof(CSharpBlocks))]
    public async Task A_block_of_CSharp_compiles_and_runs(string place)
    {
        var block = BlocksOf("csharp").Single(block => $"{block}" == place);
        var run = Snippet.Compile(block.Code, block.Setup is null ? typeof(Setup) : Setups[block.Setup]);
        Samples.RestoreModel();
        var (console, written) = (Console.Out, new StringWriter(CultureInfo.InvariantCulture));
        Console.SetOut(written);
        try
        {
            await run();
        }
        finally
        {
            Console.SetOut(console);
        }

        Assert.True(written.ToString().Length > 0 || !block.Code.Contains("Console.Write", StringComparison.Ordinal), "Nothing was written.");
    }

    [Fact]
    public void A_block_that_does_not_compile_is_told() =>
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => Snippet.Compile("var x = missing;", typeof(Setup)));

    [Fact]
    public async Task A_block_that_fails_is_told()
    {
        var run = Snippet.Compile("if (ml is not null) throw new FormatException();", typeof(Context));
        await Assert.ThrowsAsync<FormatException>(run);
    }

    [Theory]
    [MemberData(nameof(ShellBlocks))]
    public void Commands_name_projects_and_files_that_exist(string place)
    {
        var block = BlocksOf("sh").Single(block => $"{block}" == place);
        foreach (var path in PathsOf(block.Code))
            Assert.True(Path.Exists(Page.Within(path)), $"{block}: there is no {path}.");
    }

    [Theory]
    [MemberData(nameof(ShellBlocks))]
    public void Commands_of_the_tool_have_the_options_that_it_takes(string place)
    {
        var block = BlocksOf("sh").Single(block => $"{block}" == place);
        var arguments = block.Code.Split('\n').Where(line => line.Contains("tools/moe", StringComparison.Ordinal))
            .SelectMany(line => line[line.IndexOf("tools/moe", StringComparison.Ordinal)..].Split(' ').Skip(2)).ToList();
        if (arguments.Count == 0)
            return;
        var source = string.Concat(Directory.GetFiles(Page.Within("tools/moe"), "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText));
        var commands = arguments.Where((argument, i) => i == 0 || argument.StartsWith("--", StringComparison.Ordinal));
        Assert.All(commands, command => Assert.Matches($"[\"|]{Regex.Escape(command)}[\"| ]", source));
    }

    [Fact]
    public void Blocks_say_in_which_language_they_are() =>
        Assert.All(Page.All.SelectMany(page => page.CodeBlocks), block =>
            Assert.True(block.Language is "csharp" or "sh" or "json" or "xml" or "text", $"{block}: '{block.Language}'"));

    private static IEnumerable<CodeBlock> BlocksOf(string language) =>
        Page.All.SelectMany(page => page.CodeBlocks).Where(block => block.Language == language);

    private static IEnumerable<string> PathsOf(string shell) =>
        ProjectPath().Matches(shell).Select(match => match.Groups[1].Value)
            .Where(path => !path.StartsWith('-') && path.Length > 0);

    // what dotnet is told to run, test or build, and scripts of this repository
    [GeneratedRegex(@"(?:--project |dotnet (?:test|build|run) |^)((?:samples|tools|tests|benchmarks|experiments|eng|\.ci)[\w./-]*)", RegexOptions.Multiline)]
    private static partial Regex ProjectPath();
}
