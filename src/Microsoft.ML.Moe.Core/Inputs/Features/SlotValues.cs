namespace Microsoft.ML.Moe.Inputs;

/// <summary>The different values of a slot and how many rows have them.</summary>
internal sealed class SlotValues
{
    private SlotValues(float[] values, int[] counts, long rows, int missing) => (Values, Counts, Rows, Missing) = (values, counts, rows, missing);

    /// <summary>Different finite values, rising.</summary>
    public float[] Values { get; }

    /// <summary>Rows of each.</summary>
    public int[] Counts { get; }

    /// <summary>Rows with a finite value.</summary>
    public long Rows { get; }

    /// <summary>Rows without a value.</summary>
    public int Missing { get; }

    /// <summary>Counts the values of a slot.</summary>
    public static SlotValues Of(SlotColumns columns, int slot)
    {
        var filled = columns.ValuesOf(slot);
        var sorted = new List<float>(filled.Length + 1);
        var (missing, infinite) = (0, 0);
        foreach (var value in filled)
        {
            if (float.IsFinite(value))
                sorted.Add(value);
            else if (float.IsNaN(value))
                missing++;
            else
                infinite++;
        }

        var zeros = columns.Rows - filled.Length;
        sorted.Sort();
        var (values, counts) = (new List<float>(), new List<int>());
        foreach (var value in sorted)
        {
            if (zeros > 0 && value > 0f)
                AddZeros();
            if (values.Count > 0 && values[^1] == value)
                counts[^1]++;
            else
            {
                values.Add(value);
                counts.Add(1);
            }
        }

        if (zeros > 0)
            AddZeros();
        return new SlotValues([.. values], [.. counts], columns.Rows - missing - infinite, missing);

        void AddZeros()
        {
            values.Add(0f);
            counts.Add(zeros);
            zeros = 0;
        }
    }

    /// <summary>The value in the middle.</summary>
    public float Median => ValueEdges.Quantile(Values, Counts, Rows, 0.5);

    /// <summary>Mean and standard deviation, the outermost values moved to where the others end.</summary>
    public (double Mean, double Deviation) Moments()
    {
        var (low, high) = ValueEdges.Range(Values, Counts, Rows);
        if (low == high)
            (low, high) = (Values[0], Values[^1]);
        var sum = 0.0;
        for (var i = 0; i < Values.Length; i++)
            sum += Counts[i] * (double)Math.Clamp(Values[i], low, high);
        var mean = sum / Rows;
        var squares = 0.0;
        for (var i = 0; i < Values.Length; i++)
        {
            var difference = Math.Clamp(Values[i], low, high) - mean;
            squares += Counts[i] * difference * difference;
        }

        var deviation = Math.Sqrt(squares / Rows);
        return (mean, deviation > 0 ? deviation : 1);
    }
}
