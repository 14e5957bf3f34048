using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Rows;

/// <summary>A column of text as it was read for pretraining: in pieces of bounded length, so that nothing of long texts is lost.</summary>
internal sealed class UnlabelledTable
{
    private readonly List<EncodedText> _pieces = [];

    private UnlabelledTable()
    {
    }

    /// <summary>The pieces.</summary>
    public IReadOnlyList<EncodedText> Pieces => _pieces;

    /// <summary>Rows read.</summary>
    public long Rows { get; private set; }

    /// <summary>Rows, left out, whose text is missing or blank.</summary>
    public long BlankTexts { get; private set; }

    /// <summary>Reads a column in one pass.</summary>
    /// <param name="checkGoesOn">Asks, at every row, whether to go on.</param>
    /// <param name="data">The table.</param>
    /// <param name="column">Its text column.</param>
    /// <param name="input">Encodes the texts.</param>
    /// <param name="engine">Its threads do.</param>
    /// <exception cref="OperationCanceledException">Reading was stopped or cancelled.</exception>
    public static UnlabelledTable Read(
        Action checkGoesOn, IDataView data, DataViewSchema.Column column, TextInput input, Engine engine)
    {
        var table = new UnlabelledTable();
        using var cursor = data.GetRowCursor([column]);
        var text = new RowText(cursor, [column]);
        var batch = new RowBatch<EncodedText[]>(engine);
        for (var more = true; more; batch.Clear())
        {
            while (!batch.IsFull && (more = cursor.MoveNext()))
            {
                checkGoesOn();
                var (first, _) = text.Read();
                batch.Add(() => [.. input.EncodePieces(first)], sizeof(char) * (long)first.Length);
            }

            foreach (var pieces in batch.Encode())
                table.Add(pieces);
        }

        return table;
    }

    private void Add(EncodedText[] pieces)
    {
        Rows++;
        if (pieces.Length == 0)
            BlankTexts++;
        _pieces.AddRange(pieces);
    }
}
