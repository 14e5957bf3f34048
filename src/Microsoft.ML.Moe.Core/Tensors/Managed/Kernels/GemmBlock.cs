namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>A block of a matrix product's result.</summary>
internal readonly record struct GemmBlock(int FirstRow, int Rows, int FirstColumn, int Columns);
