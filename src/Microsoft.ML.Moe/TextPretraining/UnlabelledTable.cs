using Microsoft.ML.Moe.Fitting;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.TextPretraining;

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
    /// <param name="host">Can cancel.</param>
    /// <param name="data">The table.</param>
    /// <param name="column">Its text column.</param>
    /// <param name="input">Encodes the texts.</param>
    /// <param name="engine">Its threads do.</param>
    /// <param name="stop">Stops reading.</param>
    /// <exception cref="OperationCanceledException">Reading was stopped or cancelled.</exception>
    public static UnlabelledTable Read(
        IHostEnvironment host, IDataView data, DataViewSchema.Column column, TextInput input, Engine engine, CancellationToken stop)
    {
        var readingStop = new ReadingStop(host, stop);
        var table = new UnlabelledTable();
        using var cursor = data.GetRowCursor([column]);
        var text = new RowText(cursor, [column]);
        var batch = new RowBatch<EncodedText[]>(engine);
        for (var more = true; more; batch.Clear())
        {
            while (!batch.IsFull && (more = cursor.MoveNext()))
            {
                readingStop.Check();
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
