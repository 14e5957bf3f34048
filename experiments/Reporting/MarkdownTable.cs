using System.Text;

namespace Microsoft.ML.Moe.Experiments.Reporting;

/// <summary>A table in Markdown.</summary>
internal sealed class MarkdownTable(params string[] columns)
{
    private readonly StringBuilder _text = new($"| {string.Join(" | ", columns)} |\n|{string.Concat(columns.Select(_ => "---|"))}\n");

    public void Add(params IEnumerable<string> cells) => _text.Append("| ").AppendJoin(" | ", cells).Append(" |\n");

    public override string ToString() => _text.ToString();
}
