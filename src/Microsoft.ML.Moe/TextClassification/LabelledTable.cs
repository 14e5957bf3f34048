using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.TextClassification;

/// <summary>A table as it was read for training or validation.</summary>
/// <param name="maximumTokens">Longest input in tokens.</param>
internal sealed class LabelledTable(int maximumTokens)
{
    private readonly List<LabelledText> _rows = [];

    /// <summary>Longest input in tokens.</summary>
    public int MaximumTokens => maximumTokens;

    /// <summary>Rows with a label.</summary>
    public IReadOnlyList<LabelledText> Rows => _rows;

    /// <summary>Rows left out because their label is missing.</summary>
    public int MissingLabels { get; set; }

    /// <summary>Rows left out because their label is not among the classes.</summary>
    public int UnknownLabels { get; set; }

    /// <summary>Rows, kept, whose text is missing or blank.</summary>
    public int BlankTexts { get; set; }

    /// <summary>Rows whose text was longer than the maximum.</summary>
    public int RowsCutOff { get; private set; }

    /// <summary>Tokens cut off from them.</summary>
    public long TokensCutOff { get; private set; }

    /// <summary>Adds a row.</summary>
    public void Add(LabelledText row)
    {
        _rows.Add(row);
        if (row.Text.TokensCutOff > 0)
            RowsCutOff++;
        TokensCutOff += row.Text.TokensCutOff;
    }
}
