namespace Microsoft.ML.Moe.Reports;

/// <summary>A bar of a chart.</summary>
/// <param name="Label">What the value belongs to; shortened where there is no room.</param>
/// <param name="Value">Its length, at least 0.</param>
/// <param name="Text">The value as people read it.</param>
/// <param name="Series">What the value is.</param>
internal sealed record ChartBar(string Label, double Value, string Text, ChartSeries Series);
