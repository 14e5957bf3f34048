using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Where a table has what a model that writes text is to learn.</summary>
/// <param name="prompts">Columns of the prompt.</param>
/// <param name="target">Column of what is to be written.</param>
internal abstract class TaughtColumns(DataViewSchema.Column[] prompts, DataViewSchema.Column target)
{
    /// <summary>The columns that are read.</summary>
    public IReadOnlyList<DataViewSchema.Column> All => [.. prompts, target];

    /// <summary>Name of the column of what is to be written.</summary>
    public string TargetName => target.Name;

    /// <summary>Checks that rows tell something.</summary>
    /// <param name="table">The rows.</param>
    /// <param name="name">What messages call the table.</param>
    /// <exception cref="InvalidOperationException">They do not; the message names the column.</exception>
    public virtual void CheckInformation(TaughtTable table, TableName name)
    {
        if (table.Rows.Count == 0)
            throw new InvalidOperationException(
                $"There is nothing to learn: all {table.LeftOut} rows of the {name.Text} lack text in column '{TargetName}'; is the separator "
                + "right, and the column?");
        if (table.Rows.All(row => row.Input.HasBlankPrompt))
            throw new InvalidOperationException(
                $"All {table.Rows.Count} texts in {NamesOf(prompts)} of the {name.Text} are blank; is the separator right, and the column?");

        static string NamesOf(DataViewSchema.Column[] columns) => columns is [var only]
            ? $"column '{only.Name}'"
            : $"columns {string.Join(", ", columns.Select(column => $"'{column.Name}'"))}";
    }

    /// <summary>Columns of the prompt.</summary>
    protected DataViewSchema.Column[] Prompts => prompts;

    /// <summary>Column of what is to be written.</summary>
    protected DataViewSchema.Column Target => target;

    /// <summary>Reads the current row.</summary>
    /// <param name="row">A cursor over rows.</param>
    /// <param name="encoder">Makes prompts of rows.</param>
    /// <param name="targets">Makes ids of what is to be written.</param>
    public abstract TaughtRowReader CreateReader(DataViewRow row, PromptEncoder encoder, TargetEncoder targets);

    /// <summary>What is learned of a row.</summary>
    /// <param name="encoder">Makes prompts of rows.</param>
    /// <param name="targets">Makes ids of what is to be written.</param>
    /// <param name="values">Texts of the prompt's columns.</param>
    /// <param name="texts">Texts that would be right, the first to be learned.</param>
    protected static TaughtRow Teach(PromptEncoder encoder, TargetEncoder targets, string[] values, IReadOnlyList<string> texts)
    {
        var (ids, cutOff) = targets.Encode(texts[0]);
        var windows = encoder.Windows(values);
        var holding = windows.Where(window => window.Text.Contains(texts[0], StringComparison.OrdinalIgnoreCase)).ToList();
        var learned = encoder.LearnsFromAll || holding.Count == 0 ? windows : holding;
        var prompt = windows[0].Prompt;
        var hash = EncodedText.HashOf([.. values, .. texts]);
        return new TaughtRow(
            windows.Count == 1 ? prompt : prompt.WithWindows([.. windows.Skip(1).Select(window => window.Prompt)]),
            [.. learned.Select(window => targets.Join(window.Prompt, ids).From(hash))],
            texts,
            cutOff,
            Array.TrueForAll(values, string.IsNullOrWhiteSpace));
    }
}

/// <summary>A column of texts that are to be written, or of texts that are learned themselves.</summary>
internal sealed class TaughtTexts : TaughtColumns
{
    private readonly bool _isPlain;

    private TaughtTexts(DataViewSchema.Column[] prompts, DataViewSchema.Column target, bool isPlain)
        : base(prompts, target) => _isPlain = isPlain;

    /// <summary>Finds the columns of a table.</summary>
    /// <param name="schema">Its schema.</param>
    /// <param name="prompt">What the model reads.</param>
    /// <param name="target">Column of what it is to write; null where the prompt's texts are learned themselves.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type.</exception>
    public static TaughtTexts Of(NamedSchema schema, PromptSettings prompt, string? target)
    {
        var prompts = InputColumns.Texts(schema, PromptTemplate.Parse(prompt.Template).Columns);
        return target is null
            ? new TaughtTexts(prompts, prompts[^1], isPlain: true)
            : new TaughtTexts(prompts, InputColumns.TextOrTexts(schema, target, Role), isPlain: false);
    }

    /// <summary>Checks the columns that a schema promises.</summary>
    /// <inheritdoc cref="Of"/>
    public static void Check(NamedShape schema, PromptSettings prompt, string? target)
    {
        foreach (var column in PromptTemplate.Parse(prompt.Template).Columns)
            InputColumns.CheckText(schema, column);
        if (target is not null)
            InputColumns.CheckTextOrTexts(schema, target, Role);
    }

    private const string Role = "target";

    /// <inheritdoc/>
    public override TaughtRowReader CreateReader(DataViewRow row, PromptEncoder encoder, TargetEncoder targets)
    {
        var readPrompt = RowTexts.Reader(row, Prompts);
        var readTargets = _isPlain ? null : RowTexts.ReaderOfAll(row, Target);
        return (out long size, out int group) =>
        {
            var values = readPrompt(out size);
            group = 0;
            if (readTargets is null)
            {
                var text = encoder.Template.Format(values);
                return string.IsNullOrWhiteSpace(text) ? null : () => Plain([.. targets.Pieces(text)]);
            }

            var texts = readTargets();
            size += texts.Sum(text => sizeof(char) * (long)text.Length);
            return texts.Length == 0 || string.IsNullOrWhiteSpace(texts[0]) ? null : () => Teach(encoder, targets, values, texts);
        };
    }

    private static TaughtRow Plain(EncodedText[] pieces) =>
        new(pieces.Length > 0 ? pieces[0] : new EncodedText(new TokenIds([]), 0, isEmpty: true), pieces, []);
}
