using Microsoft.ML.Data;
using MoeTool.Data;
using MoeTool.Settings;

namespace Microsoft.ML.Moe.Benchmarks.Tables;

/// <summary>A table with its test rows, as features and a label that every trainer takes.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Task">What is learned of it.</param>
/// <param name="Train">Rows to learn from.</param>
/// <param name="Test">Rows to evaluate on.</param>
internal sealed record TableSet(string Name, TableTask Task, IDataView Train, IDataView Test)
{
    private static readonly string[] Numbers = ["california", "diamonds", "wine", "boston", "abalone"];

    /// <summary>Opens a table of the folder; labels of two values are yes or no, those of the sets of numbers numbers.</summary>
    public static TableSet Open(string folder, string name)
    {
        var ml = new MLContext(1);
        var file = DelimitedFile.Open(Path.Combine(folder, name + ".train.csv"));
        var isNumber = Numbers.Contains(name);
        var table = FeatureTable.Of(ml, file, FeatureTable.Label, isNumber);
        var (train, test) = (table.Load(ml, file), table.Load(ml, DelimitedFile.Open(Path.Combine(folder, name + ".test.csv"))));
        IEstimator<ITransformer> steps = table.Featurize(ml);
        var task = TableTask.Regression;
        if (!isNumber)
        {
            string[] labels = [.. train.GetColumn<string>(FeatureTable.Label).Distinct().Order(StringComparer.Ordinal)];
            task = labels.Length == 2 ? TableTask.Binary : TableTask.Multiclass;
            steps = task == TableTask.Binary
                ? ml.Transforms.CopyColumns("Text", FeatureTable.Label)
                    .Append(ml.Transforms.Conversion.MapValue(FeatureTable.Label, labels.ToDictionary(l => l, l => l == labels[1]), "Text"))
                    .Append(steps)
                : ml.Transforms.Conversion.MapValueToKey(FeatureTable.Label).Append(steps);
        }

        var prepared = steps.Fit(train);
        return new TableSet(name, task, ml.Data.Cache(prepared.Transform(train)), ml.Data.Cache(prepared.Transform(test)));
    }

    /// <summary>Parts of the training rows, each to be tested on once.</summary>
    /// <param name="count">Number of parts.</param>
    public IReadOnlyList<TableSet> Folds(int count) =>
        [.. new MLContext(1).Data.CrossValidationSplit(Train, count, seed: 1).Select(fold => this with { Train = fold.TrainSet, Test = fold.TestSet })];
}
