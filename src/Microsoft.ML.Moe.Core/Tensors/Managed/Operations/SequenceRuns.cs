namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>A batch divided into runs of sequences, for work that takes sequences apart.</summary>
/// <param name="newLayout">Gives the layout of a run, to be filled.</param>
internal sealed class SequenceRuns(Func<SequenceLayout> newLayout)
{
    private readonly List<(int FirstToken, SequenceLayout Layout)> _runs = [];

    /// <summary>Number of runs, at least 1.</summary>
    public int Count => _runs.Count;

    /// <summary>Tokens of the longest run.</summary>
    public int MostTokens { get; private set; }

    /// <summary>A run: the number of its first token, and its sequences as a layout of their own.</summary>
    public (int FirstToken, SequenceLayout Layout) this[int run] => _runs[run];

    /// <summary>Divides a batch into runs of at least so many tokens each, but for the last.</summary>
    public void Divide(SequenceLayout layout, int tokens)
    {
        _runs.Clear();
        MostTokens = 0;
        var first = 0;
        for (var sequence = 1; sequence < layout.Sequences; sequence++)
        {
            if (layout.Offsets[sequence] - layout.Offsets[first] < tokens)
                continue;
            Add(layout, first, sequence);
            first = sequence;
        }

        if (first == 0)
            Add(0, layout);
        else
            Add(layout, first, layout.Sequences);
    }

    private void Add(SequenceLayout layout, int first, int end) =>
        Add(layout.Offsets[first], layout.Part(first, end - first, newLayout()));

    private void Add(int firstToken, SequenceLayout run)
    {
        _runs.Add((firstToken, run));
        MostTokens = Math.Max(MostTokens, run.Tokens);
    }
}
