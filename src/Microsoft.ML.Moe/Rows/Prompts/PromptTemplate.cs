using System.Text;
using Microsoft.ML.Moe.Evaluation;

namespace Microsoft.ML.Moe;

/// <summary>
/// The text that a model reads of a row: words, and columns in braces, as in <c>question: {Question} context: {Context}</c>. A brace that
/// is meant as such is written twice. A text converts by itself.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// PromptTemplate own = "Is this polite? {Sentence}";
/// var published = PromptTemplate.Glue(GlueTask.Mrpc, "First", "Second");   // mrpc sentence1: {First} sentence2: {Second}
/// ]]></code>
/// </example>
public sealed class PromptTemplate : IEquatable<PromptTemplate>
{
    private readonly string _text;

    // words, then a column, then words, and so on; the last has no column
    private readonly (string Words, int Column)[] _parts;

    private PromptTemplate(string text, (string Words, int Column)[] parts, string[] columns) =>
        (_text, _parts, Columns) = (text, parts, columns);

    /// <summary>Names of the columns that are read, each once, in the order in which they are first named.</summary>
    public IReadOnlyList<string> Columns { get; }

    /// <summary>A template of its text.</summary>
    /// <param name="text">See <see cref="Parse"/>.</param>
    public static implicit operator PromptTemplate(string text) => Parse(text);

    /// <summary>Reads a template.</summary>
    /// <param name="text">Words, and names of columns in braces, at least one.</param>
    /// <exception cref="ArgumentException">It names no column, or a brace has no other; the message tells which.</exception>
    public static PromptTemplate Parse(string text)
    {
        ArgumentException.ThrowIfNullOrEmpty(text);
        var (parts, columns, words) = (new List<(string, int)>(), new List<string>(), new StringBuilder());
        for (var at = 0; at < text.Length; at++)
        {
            var c = text[at];
            if (c is not ('{' or '}'))
            {
                words.Append(c);
            }
            else if (at + 1 < text.Length && text[at + 1] == c)
            {
                words.Append(c);
                at++;
            }
            else
            {
                var end = c == '{' ? text.IndexOf('}', at) : -1;
                var name = end < 0 ? "" : text[(at + 1)..end];
                if (name.Length == 0 || name.Contains('{', StringComparison.Ordinal))
                {
                    throw new ArgumentException(
                        $"The prompt \"{text}\" has a brace at {at} that does not enclose the name of a column; write it twice where a brace is "
                        + "meant.",
                        nameof(text));
                }

                if (!columns.Contains(name))
                    columns.Add(name);
                parts.Add((words.ToString(), columns.IndexOf(name)));
                words.Clear();
                at = end;
            }
        }

        if (columns.Count == 0)
            throw new ArgumentException(
                $"The prompt \"{text}\" names no column: write one in braces, as in \"summarize:{{Text}}\".", nameof(text));
        parts.Add((words.ToString(), -1));
        return new PromptTemplate(text, [.. parts], [.. columns]);
    }

    /// <summary>A column's text as it is.</summary>
    /// <param name="column">Name of the column.</param>
    public static PromptTemplate Of(string column)
    {
        ArgumentException.ThrowIfNullOrEmpty(column);
        return new PromptTemplate($"{{{column}}}", [("", 0), ("", -1)], [column]);
    }

    /// <summary>
    /// The prompt of a task of GLUE as text-to-text models are trained with it (Raffel et al. 2020, appendix D): its name, and each text
    /// behind what it is, as in <c>rte sentence1: … sentence2: …</c>. The target is the label's digit, of <see cref="GlueTask.Stsb"/> the
    /// score.
    /// </summary>
    /// <param name="task">The task.</param>
    /// <param name="columns">
    /// Columns of its texts, one or two, in the order of the data set; without them they have the names that they have there, such as
    /// <c>sentence1</c>.
    /// </param>
    /// <exception cref="ArgumentException">It has not as many texts.</exception>
    public static PromptTemplate Glue(GlueTask task, params IReadOnlyList<string> columns)
    {
        ArgumentNullException.ThrowIfNull(columns);
        string[] names = OptionCheck.Defined(task, nameof(task)) switch
        {
            GlueTask.Cola or GlueTask.Sst2 => ["sentence"],
            GlueTask.Qqp => ["question1", "question2"],
            GlueTask.Mnli => ["premise", "hypothesis"],
            GlueTask.Qnli => ["question", "sentence"],
            _ => ["sentence1", "sentence2"],
        };
        if (columns.Count > 0 && columns.Count != names.Length)
            throw new ArgumentException(
                $"{task} has {names.Length} columns of text ({string.Join(", ", names)}), not {columns.Count}.", nameof(columns));
        var texts = names.Select((name, i) => $"{name}: {{{Named(columns.Count > 0 ? columns[i] : name)}}}");
        return Parse($"{GlueProtocol.NameOf(task)} {string.Join(' ', texts)}");
    }

    /// <summary>
    /// The prompt for a summary, <c>summarize:</c> and the text behind it without a space, as the GW-MoE paper's program has it.
    /// </summary>
    /// <param name="column">Column of the text.</param>
    public static PromptTemplate Summarisation(string column) => Parse($"summarize:{{{Named(column)}}}");

    /// <summary>The prompt for an answer out of a context, <c>question: … context: …</c>.</summary>
    /// <param name="questionColumn">Column of the question.</param>
    /// <param name="contextColumn">Column of the context.</param>
    public static PromptTemplate QuestionAnswering(string questionColumn, string contextColumn) =>
        Parse($"question: {{{Named(questionColumn)}}} context: {{{Named(contextColumn)}}}");

    /// <summary>Whether both have the same text.</summary>
    /// <param name="other">Another template.</param>
    public bool Equals(PromptTemplate? other) => other is not null && other._text == _text;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as PromptTemplate);

    /// <inheritdoc/>
    public override int GetHashCode() => _text.GetHashCode(StringComparison.Ordinal);

    /// <summary>The template's text.</summary>
    public override string ToString() => _text;

    /// <summary>The prompt of a row.</summary>
    /// <param name="values">Texts of <see cref="Columns"/>.</param>
    internal string Format(IReadOnlyList<string> values)
    {
        if (_parts is [("", 0), ("", _)])
            return values[0];
        var prompt = new StringBuilder();
        foreach (var (words, column) in _parts)
            prompt.Append(words).Append(column < 0 ? "" : values[column]);
        return prompt.ToString();
    }

    // a name in braces cannot hold any
    private static string Named(string column)
    {
        ArgumentException.ThrowIfNullOrEmpty(column);
        return column.AsSpan().ContainsAny('{', '}')
            ? throw new ArgumentException($"The column '{column}' has braces in its name, which a prompt cannot hold.", nameof(column))
            : column;
    }
}
