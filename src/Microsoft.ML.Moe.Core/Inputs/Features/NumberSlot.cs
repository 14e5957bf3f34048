namespace Microsoft.ML.Moe.Inputs;

/// <summary>A slot of many values: how it is scaled, and the edges of its piecewise-linear encoding.</summary>
internal sealed record NumberSlot
{
    /// <summary>From where on scaled values are compressed, in deviations.</summary>
    internal const double Bend = 3;

    /// <summary>Number of the slot.</summary>
    public required int Slot { get; init => field = OptionCheck.Range(value, 0, FeatureRow.MaximumSlots - 1, nameof(Slot)); }

    /// <summary>Mean over the training set, without its outermost values.</summary>
    public required double Mean { get; init; }

    /// <summary>Standard deviation, over 0.</summary>
    public required double Deviation { get; init; }

    /// <summary>What takes the place of a missing value: the median.</summary>
    public required float Missing { get; init; }

    /// <summary>Smallest value seen, which takes the place of −∞.</summary>
    public required float Least { get; init; }

    /// <summary>Largest value seen, which takes the place of ∞.</summary>
    public required float Most { get; init; }

    /// <summary>Edges between which the encoding is a straight line, rising; none without such an encoding, else at least 2.</summary>
    public float[] Edges { get; init; } = [];

    /// <summary>A value that can be computed with.</summary>
    public float Complete(float value) => float.IsNaN(value) ? Missing
        : float.IsPositiveInfinity(value) ? Most
        : float.IsNegativeInfinity(value) ? Least
        : value;

    /// <summary>z/√(1 + (z/3)²) with z = (value − mean)/deviation: near 0 as z, and never beyond ±3.</summary>
    public float Scale(float value)
    {
        var z = (value - Mean) / Deviation;
        return (float)(z / Math.Sqrt(1 + z / Bend * (z / Bend)));
    }

    /// <summary>Where a value lies among the edges: the edge before it, and the share of the way to the next.</summary>
    public (int Edge, float Share) Locate(float value)
    {
        var edges = Edges;
        if (value <= edges[0])
            return (0, 0f);
        if (value >= edges[^1])
            return (edges.Length - 2, 1f);
        var place = Array.BinarySearch(edges, value);
        if (place >= 0)
            return (place, 0f);
        var after = ~place;
        var (low, high) = ((double)edges[after - 1], (double)edges[after]);
        return (after - 1, (float)((value - low) / (high - low)));
    }

    /// <summary>Checks that the values fit each other.</summary>
    /// <exception cref="ArgumentException">They do not.</exception>
    public void Check()
    {
        if (!double.IsFinite(Mean) || !(Deviation > 0 && double.IsFinite(Deviation)))
            throw new ArgumentException($"The scale of slot {Slot} is impossible.", nameof(Deviation));
        if (!(Least <= Most && float.IsFinite(Least) && float.IsFinite(Most) && float.IsFinite(Missing)))
            throw new ArgumentException($"The range of slot {Slot} is impossible.", nameof(Least));
        if (Edges.Length == 1 || Edges.Length > FeatureInputConfig.MaximumBins + 1)
            throw new ArgumentException(
                $"Slot {Slot} has {Edges.Length} edges; possible are 0 and 2 to {FeatureInputConfig.MaximumBins + 1}.", nameof(Edges));
        if (!ValueEdges.Rise(Edges))
            throw new ArgumentException($"The edges of slot {Slot} do not rise.", nameof(Edges));
    }
}

/// <summary>A slot of two values, which become 0 and 1.</summary>
internal sealed record BinarySlot
{
    /// <summary>Number of the slot.</summary>
    public required int Slot { get; init => field = OptionCheck.Range(value, 0, FeatureRow.MaximumSlots - 1, nameof(Slot)); }

    /// <summary>The value that becomes 0.</summary>
    public required float Low { get; init; }

    /// <summary>The value that becomes 1, over <see cref="Low"/>.</summary>
    public required float High { get; init; }

    /// <summary>What takes the place of a missing value: the more frequent of the two.</summary>
    public required float Missing { get; init; }

    /// <summary>A number within [0, 1].</summary>
    public float Scale(float value) => float.IsNaN(value)
        ? Scale(Missing)
        : value <= Low ? 0f : value >= High ? 1f : (float)(((double)value - Low) / ((double)High - Low));

    /// <summary>Checks that the values fit each other.</summary>
    /// <exception cref="ArgumentException">They do not.</exception>
    public void Check()
    {
        if (!(Low < High && float.IsFinite(Low) && float.IsFinite(High) && float.IsFinite(Missing)))
            throw new ArgumentException($"The values of slot {Slot} are impossible.", nameof(High));
    }
}

/// <summary>A slot of a vector of very many, which has a row in a table of weights.</summary>
internal readonly record struct TableSlot
{
    /// <summary>Number of the slot.</summary>
    public required int Slot { get; init; }

    /// <summary>Factor of its values: one over the largest magnitude seen.</summary>
    public required float Scale { get; init; }
}
