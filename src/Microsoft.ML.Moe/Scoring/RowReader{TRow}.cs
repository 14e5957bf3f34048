namespace Microsoft.ML.Moe.Scoring;

/// <summary>Reads the current row of a table as a model needs it.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
/// <param name="size">Bytes that the row takes in the table, about.</param>
internal delegate TRow RowReader<out TRow>(out long size);
