namespace Microsoft.ML.Moe.Experiments.Data;

/// <summary>A labelled text or pair of texts.</summary>
internal readonly record struct LabelledText(string Label, string First, string? Second = null);

/// <summary>A set made to try defaults on: a kind of data that users have, made from what the data folder holds.</summary>
internal sealed record TextSet(string Name, IReadOnlyList<LabelledText> Train, IReadOnlyList<LabelledText> Test)
{
    private Dictionary<string, int>? _classes;

    /// <summary>Number of each label of the training rows, in their order.</summary>
    public IReadOnlyDictionary<string, int> Classes => _classes ??=
        Train.Select(row => row.Label).Distinct().Order(StringComparer.Ordinal).Index()
            .ToDictionary(label => label.Item, label => label.Index);

    /// <summary>Training rows of each class that <see cref="DrawnBy"/> leaves; null for all.</summary>
    public int? RowsOfEachClass { get; init; }

    /// <summary>The set with the training rows that a seed draws of each class.</summary>
    public TextSet DrawnBy(int seed) => RowsOfEachClass is { } rows
        ? this with { Train = [.. Train.GroupBy(row => row.Label).SelectMany(group => TextSets.Draw(group, rows, seed))] }
        : this;

    /// <summary>Whether its rows are pairs.</summary>
    public bool IsPairs => Train[0].Second is not null;

    /// <summary>Number of a row's label.</summary>
    public int ClassOf(LabelledText row) => Classes[row.Label];
}
