using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>Texts of a column, to be continued or answered.</summary>
/// <param name="column">Name of the column.</param>
/// <param name="generator">Encodes them.</param>
/// <param name="maximumTokens">See <see cref="GenerateTextOptions.MaximumPromptTokens"/>.</param>
internal sealed class PromptRows(string column, TextGenerator generator, int? maximumTokens) : RowSource<EncodedText>
{
    /// <inheritdoc/>
    public override DataViewSchema.Column[] Find(DataViewSchema schema) => InputColumns.Texts(schema, column);

    /// <inheritdoc/>
    public override RowReader<EncodedText> CreateReader(DataViewRow row, DataViewSchema.Column[] columns)
    {
        var reader = new RowText(row, columns);
        return (out long size) =>
        {
            var (text, _) = reader.Read();
            size = sizeof(char) * (long)text.Length;
            return () => generator.Encode(text, maximumTokens);
        };
    }

    /// <summary>The texts of a table, one after the other.</summary>
    /// <param name="data">The table.</param>
    public IEnumerable<string> Read(IDataView data)
    {
        var columns = Find(data.Schema);
        using var cursor = data.GetRowCursor(columns);
        var reader = new RowText(cursor, columns);
        while (cursor.MoveNext())
            yield return reader.Read().First;
    }
}
