namespace Microsoft.ML.Moe.LinearModels;

/// <summary>Labelled rows for a linear model.</summary>
/// <param name="Rows">The rows.</param>
/// <param name="Labels">Class of each, within [0, C).</param>
/// <param name="Weights">Weight of each in the loss, at least 0; the weight of its class is part of it.</param>
internal sealed record LinearExamples(IReadOnlyList<LinearRow> Rows, int[] Labels, float[] Weights)
{
    /// <summary>Number of rows.</summary>
    public int Count => Labels.Length;

    /// <summary>These rows and, after them, others.</summary>
    public LinearExamples With(LinearExamples others) =>
        new([.. Rows, .. others.Rows], [.. Labels, .. others.Labels], [.. Weights, .. others.Weights]);

    /// <summary>Some of the rows, in the order given.</summary>
    public LinearExamples Select(IReadOnlyList<int> rows) =>
        new([.. rows.Select(row => Rows[row])], [.. rows.Select(row => Labels[row])], [.. rows.Select(row => Weights[row])]);
}
