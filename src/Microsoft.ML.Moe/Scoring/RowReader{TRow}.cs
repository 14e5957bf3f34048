namespace Microsoft.ML.Moe.Scoring;

/// <summary>Reads the current row of a table as a model needs it. For the thread of the table's cursor.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
/// <param name="size">Bytes that what was read takes, about.</param>
/// <returns>Encodes what was read, whichever row is the current one by then; for any thread.</returns>
internal delegate Func<TRow> RowReader<out TRow>(out long size);
