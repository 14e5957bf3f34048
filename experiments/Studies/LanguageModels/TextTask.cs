using Microsoft.ML.Moe.Experiments.Data;

namespace Microsoft.ML.Moe.Experiments.Studies.LanguageModels;

/// <summary>A classification whose classes are written as text.</summary>
/// <param name="Data">Name of the data set.</param>
/// <param name="Classes">The first so many classes by name.</param>
/// <param name="PerClass">Training rows of each class, drawn by the run's seed.</param>
/// <param name="TestRows">Test rows at most, evenly spread over those of the classes.</param>
/// <param name="Epochs">Passes over the training rows.</param>
internal sealed record TextTask(string Data, int Classes, int PerClass, int TestRows, int Epochs)
{
    /// <summary>The tasks, in the order of the tables.</summary>
    public static IReadOnlyList<TextTask> All { get; } =
    [
        new(DataFolder.Clinc150, Classes: 10, PerClass: 50, TestRows: 300, Epochs: 16),
        new(DataFolder.MovieSentences, Classes: 2, PerClass: 2000, TestRows: 1067, Epochs: 4),
    ];

    /// <summary>Name in logs and tables.</summary>
    public override string ToString() => FormattableString.Invariant($"{Data}, {Classes} classes of {PerClass} rows");

    /// <summary>The rows of a run.</summary>
    /// <param name="folder">The data.</param>
    /// <param name="seed">Draws the training rows.</param>
    public (IReadOnlyList<Sentence> Train, IReadOnlyList<Sentence> Test) Load(DataFolder folder, int seed)
    {
        var data = folder.Load(Data).WithExamples(PerClass, seed);
        string[] classes = [.. data.Train.Select(row => row.Label).Distinct().Order(StringComparer.Ordinal).Take(Classes)];
        Sentence[] test = [.. data.Test.Where(row => classes.Contains(row.Label))];
        return (
            [.. data.Train.Where(row => classes.Contains(row.Label))],
            EvenSample.Of(test, TestRows));
    }
}
