using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>Texts of a column, to be embedded.</summary>
/// <param name="column">Name of the column.</param>
/// <param name="embedder">Encodes them.</param>
internal sealed class EmbedderRows(string column, TextEmbedder embedder) : RowSource<EncodedText>
{
    /// <inheritdoc/>
    public override DataViewSchema.Column[] Find(NamedSchema schema) => InputColumns.Texts(schema, column);

    /// <inheritdoc/>
    public override RowReader<EncodedText> CreateReader(DataViewRow row, DataViewSchema.Column[] columns)
    {
        var reader = new RowText(row, columns);
        return (out long size) =>
        {
            var (text, _) = reader.Read();
            size = sizeof(char) * (long)text.Length;
            return () => embedder.Encode(text);
        };
    }

    /// <summary>All texts of a table, some at a time.</summary>
    /// <param name="data">The table.</param>
    /// <param name="checkGoesOn">Throws when reading was cancelled.</param>
    public IEnumerable<IReadOnlyList<string>> Read(IDataView data, Action checkGoesOn)
    {
        var columns = Find(data.Schema);
        using var cursor = data.GetRowCursor(columns);
        var reader = new RowText(cursor, columns);
        var texts = new List<string>(RowBatch.MostRows);
        while (cursor.MoveNext())
        {
            checkGoesOn();
            texts.Add(reader.Read().First);
            if (texts.Count < RowBatch.MostRows)
                continue;
            yield return texts;
            texts = new List<string>(RowBatch.MostRows);
        }

        if (texts.Count > 0)
            yield return texts;
    }
}
