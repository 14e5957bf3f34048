using System.Globalization;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Rows of text, or of pairs of texts. For training both tokens and texts are kept in memory.</summary>
/// <param name="first">Name of the text column.</param>
/// <param name="second">Name of the second text's column, if any.</param>
/// <param name="input">Encodes the texts.</param>
internal sealed class TextRows(string first, string? second, TextInput input) : RowSource<EncodedText>
{
    /// <inheritdoc/>
    public override DataViewSchema.Column[] Find(NamedSchema schema) => InputColumns.Texts(schema, first, second);

    /// <inheritdoc/>
    public override RowReader<EncodedText> CreateReader(DataViewRow row, DataViewSchema.Column[] columns)
    {
        var text = new RowText(row, columns);
        return (out long size) =>
        {
            var (one, other) = text.Read();
            size = sizeof(char) * ((long)one.Length + (other?.Length ?? 0));
            return () => input.Encode(one, other);
        };
    }

    /// <inheritdoc/>
    public override void CheckInformation(IReadOnlyList<EncodedText> rows, TableName table, bool isLearned)
    {
        var columns = second is null ? $"column '{first}'" : $"columns '{first}' and '{second}'";
        if (rows.Count > 0 && rows.All(text => text.IsEmpty))
            throw new InvalidOperationException(
                $"All {rows.Count} texts in {columns} of the {table.Text} are blank; is the separator right, and the column?");
        if (isLearned && AreSame(rows, (one, other) => one.SourceHash == other.SourceHash))
            throw new InvalidOperationException(
                $"All {rows.Count} texts in {columns} of the {table.Text} are the same: no label can be told from them; is it the right column?");
    }

    /// <inheritdoc/>
    public override void Log(IChannel channel, string which, IEnumerable<EncodedText> rows)
    {
        var (count, empty, cutOff, tokensCutOff) = (0, 0, 0, 0L);
        foreach (var text in rows)
        {
            count++;
            empty += text.IsEmpty ? 1 : 0;
            cutOff += text.TokensCutOff > 0 ? 1 : 0;
            tokensCutOff += text.TokensCutOff;
        }

        if (empty > 0)
            channel.Warning(
                MessageSensitivity.Schema, $"{empty} {which} rows have missing or blank text in column '{first}'; they count as empty texts.");
        if (cutOff > 0)
            channel.Info(MessageSensitivity.None, string.Create(
                CultureInfo.InvariantCulture,
                $"{cutOff} {which} rows ({(double)cutOff / count:P1}) are longer than {nameof(input.MaximumTokens)} = {input.MaximumTokens}; {tokensCutOff} tokens are cut off."));
    }
}

/// <summary>Reads the text, or the pair of texts, of a row. Missing text reads as empty.</summary>
internal sealed class RowText
{
    private readonly ValueGetter<ReadOnlyMemory<char>> _first;
    private readonly ValueGetter<ReadOnlyMemory<char>>? _second;

    /// <summary>Prepares reading.</summary>
    /// <param name="row">The row, or a cursor over rows.</param>
    /// <param name="columns">One text column, or two.</param>
    public RowText(DataViewRow row, DataViewSchema.Column[] columns)
    {
        _first = row.GetGetter<ReadOnlyMemory<char>>(columns[0]);
        _second = columns.Length > 1 ? row.GetGetter<ReadOnlyMemory<char>>(columns[1]) : null;
    }

    /// <summary>The current row's text.</summary>
    public (string First, string? Second) Read()
    {
        ReadOnlyMemory<char> first = default, second = default;
        _first(ref first);
        if (_second is null)
            return (first.ToString(), null);
        _second(ref second);
        return (first.ToString(), second.ToString());
    }
}
