namespace Microsoft.ML.Moe.Tensors;

/// <summary>Gives a parameter's row its initial values. Rows are asked for at the same time.</summary>
/// <param name="row">Number of the row: of all dimensions but the last.</param>
/// <param name="values">The row, zeros; takes the values.</param>
internal delegate void InitialRow(int row, Span<float> values);

/// <summary>Gives a parameter all its initial values.</summary>
/// <param name="values">Row-major, as many as its shape asks for, and arbitrary before.</param>
internal delegate void FillValues(Span<float> values);
