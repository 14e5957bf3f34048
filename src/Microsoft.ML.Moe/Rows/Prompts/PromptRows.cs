using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Texts of columns, to be continued or answered.</summary>
/// <param name="encoder">Makes prompts of them.</param>
internal sealed class PromptRows(PromptEncoder encoder) : RowSource<EncodedText>
{
    /// <summary>Makes prompts of the texts.</summary>
    public PromptEncoder Encoder => encoder;

    /// <inheritdoc/>
    public override DataViewSchema.Column[] Find(NamedSchema schema) => InputColumns.Texts(schema, encoder.Template.Columns);

    /// <inheritdoc/>
    public override RowReader<EncodedText> CreateReader(DataViewRow row, DataViewSchema.Column[] columns)
    {
        var read = RowTexts.Reader(row, columns);
        return (out long size) =>
        {
            var texts = read(out size);
            return () => encoder.Encode(texts);
        };
    }

    /// <summary>The prompts of a table as texts, one after the other.</summary>
    /// <param name="data">The table.</param>
    public IEnumerable<string> Read(IDataView data)
    {
        var columns = Find(data.Schema);
        using var cursor = data.GetRowCursor(columns);
        var read = RowTexts.Reader(cursor, columns);
        while (cursor.MoveNext())
            yield return encoder.Template.Format(read(out _));
    }
}

/// <summary>Reads texts of a row's columns. Missing text reads as empty.</summary>
internal static class RowTexts
{
    /// <summary>Reads the texts of the current row.</summary>
    /// <param name="size">Bytes that they take, about.</param>
    /// <returns>One for each column.</returns>
    public delegate string[] TextsReader(out long size);

    /// <summary>Reads one text of each column.</summary>
    /// <param name="row">The row, or a cursor over rows.</param>
    /// <param name="columns">Text columns.</param>
    public static TextsReader Reader(DataViewRow row, IReadOnlyList<DataViewSchema.Column> columns)
    {
        ValueGetter<ReadOnlyMemory<char>>[] getters = [.. columns.Select(row.GetGetter<ReadOnlyMemory<char>>)];
        ReadOnlyMemory<char> text = default;
        return (out long size) =>
        {
            var texts = new string[getters.Length];
            size = 0;
            for (var i = 0; i < texts.Length; i++)
            {
                getters[i](ref text);
                texts[i] = text.ToString();
                size += sizeof(char) * (long)text.Length;
            }

            return texts;
        };
    }

    /// <summary>
    /// Reads all texts of a column of texts or of vectors of them. In a vector of fixed size, which has as many places as the row with most
    /// texts needs, empty places are no texts.
    /// </summary>
    /// <param name="row">The row, or a cursor over rows.</param>
    /// <param name="column">The column.</param>
    public static Func<string[]> ReaderOfAll(DataViewRow row, DataViewSchema.Column column)
    {
        if (column.Type is not VectorDataViewType vector)
        {
            var read = Reader(row, [column]);
            return () => read(out _);
        }

        var getter = row.GetGetter<VBuffer<ReadOnlyMemory<char>>>(column);
        VBuffer<ReadOnlyMemory<char>> texts = default;
        return () =>
        {
            getter(ref texts);
            return [.. texts.DenseValues().Select(t => t.ToString()).Where(t => vector.Size == 0 || t.Length > 0)];
        };
    }
}
