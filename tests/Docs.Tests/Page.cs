using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Markdig;
using Markdig.Extensions.AutoIdentifiers;
using Markdig.Renderers.Html;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace Docs.Tests;

/// <summary>A block of code on a page.</summary>
/// <param name="Page">Path of the page within the repository.</param>
/// <param name="Line">Its first line, from 1.</param>
/// <param name="Language">What stands after the fence.</param>
/// <param name="Setup">What <c>&lt;!-- setup: NAME --&gt;</c> before the block names; null without one.</param>
/// <param name="Code">The code.</param>
public sealed record CodeBlock(string Page, int Line, string Language, string? Setup, string Code)
{
    /// <summary>Where it stands.</summary>
    public override string ToString() => $"{Page}:{Line}";
}

/// <summary>A page of documentation in Markdown.</summary>
/// <param name="path">Path within the repository, with slashes.</param>
public sealed partial class Page(string path)
{
    private static readonly MarkdownPipeline Pipeline =
        new MarkdownPipelineBuilder().UsePipeTables().UseAutoIdentifiers(AutoIdentifierOptions.GitHub).Build();

    private readonly MarkdownDocument _document = Markdown.Parse(File.ReadAllText(Within(path)), Pipeline);

    /// <summary>The repository's root.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Path within the repository.</summary>
    public string Path => path;

    /// <summary>The text, with line feeds.</summary>
    public string Text => File.ReadAllText(Within(path)).ReplaceLineEndings("\n");

    /// <summary>All pages that are checked.</summary>
    public static IReadOnlyList<Page> All { get; } =
    [
        .. Directory.GetFiles(Root, "*.md")
            .Concat(Directory.GetFiles(Within("docs"), "*.md", SearchOption.AllDirectories))
            .Select(file => System.IO.Path.GetRelativePath(Root, file).Replace('\\', '/'))
            .Order(StringComparer.Ordinal)
            .Select(file => new Page(file)),
    ];

    /// <summary>Names of headings, as links refer to them.</summary>
    public IEnumerable<string> Anchors => _document.Descendants<HeadingBlock>().Select(heading => heading.GetAttributes().Id ?? "");

    /// <summary>Targets of links and pictures.</summary>
    public IEnumerable<string> Links => _document.Descendants<LinkInline>().Select(link => link.Url ?? "");

    /// <summary>Blocks of code.</summary>
    public IEnumerable<CodeBlock> CodeBlocks
    {
        get
        {
            var setup = default(string);
            foreach (var block in _document.Descendants<Block>())
            {
                if (block is FencedCodeBlock code)
                    yield return new CodeBlock(path, code.Line + 1, code.Info ?? "", setup, code.Lines.ToString().ReplaceLineEndings("\n"));
                setup = block is HtmlBlock html && Setup().Match(html.Lines.ToString()) is { Success: true } match
                    ? match.Groups[1].Value
                    : null;
            }
        }
    }

    /// <summary>The full path of a file in the repository.</summary>
    public static string Within(string path) => System.IO.Path.Combine(Root, path);

    private static string FindRoot([CallerFilePath] string file = "") =>
        System.IO.Path.GetFullPath(System.IO.Path.Combine(System.IO.Path.GetDirectoryName(file)!, "..", ".."));

    [GeneratedRegex("<!-- setup: (\\w+) -->")]
    private static partial Regex Setup();
}
