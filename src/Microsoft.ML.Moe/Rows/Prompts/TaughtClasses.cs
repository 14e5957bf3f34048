namespace Microsoft.ML.Moe.Rows;

/// <summary>A column of labels, for each of which a text is to be written.</summary>
internal sealed class TaughtClasses : TaughtColumns
{
    private readonly Func<DataViewRow, Func<int>> _createLabelReader;
    private readonly IReadOnlyList<string> _texts;

    private TaughtClasses(
        DataViewSchema.Column[] prompts,
        DataViewSchema.Column label,
        Func<DataViewRow, Func<int>> createLabelReader,
        IReadOnlyList<string> texts)
        : base(prompts, label) => (_createLabelReader, _texts) = (createLabelReader, texts);

    /// <summary>Finds the columns of a table.</summary>
    /// <param name="schema">Its schema.</param>
    /// <param name="prompt">What the model reads.</param>
    /// <param name="label">Name of the label column.</param>
    /// <param name="classes">The classes of the training set.</param>
    /// <param name="texts">What is written for each.</param>
    /// <param name="isTraining">Whether this is the training set; labels of another may be plain values.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type.</exception>
    public static TaughtClasses Of(
        NamedSchema schema, PromptSettings prompt, string label, LabelClasses classes, IReadOnlyList<string> texts, bool isTraining)
    {
        var prompts = InputColumns.Texts(schema, PromptTemplate.Parse(prompt.Template).Columns);
        var column = InputColumns.Find(schema, label, "label");
        return new TaughtClasses(
            prompts,
            column,
            row => isTraining
                ? LabelReader.OfKeys(row, column)
                : LabelReader.Matching(row, column, classes.Count, classes.Values, "validation set"),
            texts);
    }

    /// <inheritdoc/>
    public override void CheckInformation(TaughtTable table, TableName name)
    {
        base.CheckInformation(table, name);
        var first = table.Rows[0].Target;
        if (name != TableName.ValidationSet && table.Rows.All(row => row.Target == first))
            throw new InvalidOperationException(
                $"All training rows have the same label in column '{TargetName}', {_texts[(int)first]}; a classifier needs at least two classes.");
    }

    /// <inheritdoc/>
    public override TaughtRowReader CreateReader(DataViewRow row, PromptEncoder encoder, TargetEncoder targets)
    {
        var readPrompt = RowTexts.Reader(row, Prompts);
        var readLabel = _createLabelReader(row);
        return (out long size, out int group) =>
        {
            var values = readPrompt(out size);
            group = readLabel();
            var text = group < 0 ? null : _texts[group];
            return text is null ? null : () => Teach(encoder, targets, values, [text]);
        };
    }
}
