namespace Microsoft.ML.Moe.Scoring;

/// <summary>How much of a table is read ahead.</summary>
internal static class RowBatch
{
    /// <summary>Most rows that are held at a time.</summary>
    public const int MostRows = 256;

    /// <summary>Most bytes, as they were read; one row always is.</summary>
    public const long MostBytes = 1 << 23;
}
