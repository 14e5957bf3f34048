using Microsoft.ML;
using MoeTool.Commands;

namespace MoeTool.Data;

/// <summary>Tables of labelled texts, or pairs of texts.</summary>
/// <param name="Label">The label.</param>
/// <param name="Texts">One column or two.</param>
internal sealed record TextTables(SourceColumn Label, IReadOnlyList<SourceColumn> Texts)
{
    // Columns that the trainer writes: one of the same name would be hidden by it.
    private static readonly string[] Written = ["PredictedLabel", "Score"];

    /// <summary>Name of the second text in the table, if there is one.</summary>
    public string? Second => Texts.ElementAtOrDefault(1)?.Name;

    /// <summary>The columns that a command line names.</summary>
    /// <exception cref="UserException">One is named twice.</exception>
    public static TextTables Of(string label, string text, string? text2)
    {
        SourceColumn[] texts = text2 is null ? [Column(text, "--text")] : [Column(text, "--text"), Column(text2, "--text2")];
        var own = Column(label, "--label");
        return texts.Append(own).CountBy(column => column.Source).FirstOrDefault(count => count.Value > 1) is { Key: { } twice }
            ? throw new UserException($"Column '{twice}' cannot be two of label, text and second text.")
            : new TextTables(own, texts);
    }

    /// <summary>Reads the tables; without a file of test rows a fifth of the training rows are drawn.</summary>
    public Tables Load(ToolConsole console, MLContext ml, string train, string? validation, string? test, int seed)
    {
        var rows = Read(train);
        var chosen = validation is null ? null : Read(validation);
        if (test is not null)
            return new Tables(rows, chosen, Read(test));
        var split = ml.Data.TrainTestSplit(rows, testFraction: 0.2, seed: seed);
        return new Tables(split.TrainSet, chosen, split.TestSet);

        IDataView Read(string path)
        {
            var file = DelimitedFile.Open(path);
            var table = file.Load(ml, [.. Texts, Label]);
            if (file.Ragged is { } ragged)
                console.Line("Warning: " + ragged);
            return table;
        }
    }

    private static SourceColumn Column(string source, string option) =>
        new(source, Written.Contains(source) ? $"Given{source}" : source, option);
}
