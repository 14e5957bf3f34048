using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using MoeTool.Commands;

namespace MoeTool.Data;

/// <summary>A table of which every column but the label is a feature: numbers as they are, everything else as a category.</summary>
internal sealed class FeatureTable
{
    /// <summary>The label, as text or as a number.</summary>
    public const string Label = "Label";

    /// <summary>The features.</summary>
    public const string Features = "Features";

    private const string Option = "--label";
    private const string Given = "Given";
    private const string GivenLabel = Given + Label;
    private const int MostLabelsNamed = 5;
    private static readonly string[] Yes = ["1", "true", "yes", "y", "t", "positive", "pos"];

    // Columns that the steps and the trainers write: one of the same name would be hidden by it.
    private static readonly string[] Taken = [Label, Features, "Score", "PredictedLabel", "Probability", GivenLabel];
    private static readonly string[] NoNumber = ["", "?", "NA", "NaN", "nan", "N/A", "null"];
    private readonly SourceColumn[] _numbers;
    private readonly SourceColumn[] _categories;
    private readonly SourceColumn _label;

    private FeatureTable(SourceColumn[] numbers, SourceColumn[] categories, SourceColumn label) =>
        (_numbers, _categories, _label) = (numbers, categories, label);

    /// <summary>Number of columns that are numbers, and of those that are categories.</summary>
    public (int Numbers, int Categories) Counts => (_numbers.Length, _categories.Length);

    /// <summary>What a column is called in a file that <see cref="Of"/> has read.</summary>
    public static string SourceOf(string column) =>
        column.StartsWith(Given, StringComparison.Ordinal) && Taken.Contains(column[Given.Length..]) ? column[Given.Length..] : column;

    /// <summary>Reads the tables of a command; without a file of test rows a fifth of the training rows are drawn.</summary>
    public static (FeatureTable Table, Tables Rows) LoadAll(
        ToolConsole console, MLContext ml, string train, string? validation, string? test, string label, bool labelIsNumber, int seed,
        IReadOnlyList<string> categorical)
    {
        var file = DelimitedFile.Open(train);
        var table = Of(ml, file, label, labelIsNumber, categorical);
        var rows = Read(file);
        var chosen = validation is null ? null : Read(DelimitedFile.Open(validation));
        console.Line($"{table.Counts.Numbers} columns are numbers, {table.Counts.Categories} are categories.");
        if (test is not null)
            return (table, new Tables(rows, chosen, Read(DelimitedFile.Open(test))));
        var split = ml.Data.TrainTestSplit(rows, testFraction: 0.2, seed: seed);
        return (table, new Tables(split.TrainSet, chosen, split.TestSet));

        IDataView Read(DelimitedFile opened)
        {
            if (opened.Ragged is { } ragged)
                console.Line("Warning: " + ragged);
            return table.Load(ml, opened);
        }
    }

    /// <summary>What makes yes or no of a label of two values: one that says yes, or else the later of the two, is true.</summary>
    /// <exception cref="UserException">There are not two.</exception>
    public static IEstimator<ITransformer> ToTruth(ToolConsole console, MLContext ml, IDataView train)
    {
        string[] labels = [.. train.GetColumn<string>(Label).Distinct().Order(StringComparer.Ordinal)];
        if (labels.Length != 2)
        {
            var named = string.Join(", ", labels.Take(MostLabelsNamed).Select(label => $"'{label}'")) + (labels.Length > MostLabelsNamed ? ", …" : "");
            throw new UserException($"--task binary needs a label of two values; there are {labels.Length}: {named}.");
        }

        var yes = Array.Find(labels, label => Yes.Contains(label.Trim().ToLowerInvariant())) ?? labels[1];
        console.Line($"'{yes}' counts as true.");
        return ml.Transforms.CopyColumns(GivenLabel, Label)
            .Append(ml.Transforms.Conversion.MapValue(Label, labels.ToDictionary(label => label, label => label == yes), GivenLabel));
    }

    /// <summary>Finds out what the columns of a table are.</summary>
    /// <param name="ml">Reads it.</param>
    /// <param name="file">The training table.</param>
    /// <param name="label">Name of the label column.</param>
    /// <param name="labelIsNumber">Whether the label is a number.</param>
    /// <param name="categorical">Columns whose numbers are codes of a category.</param>
    /// <exception cref="UserException">There is no such label, or nothing beside it, or no such category.</exception>
    public static FeatureTable Of(MLContext ml, DelimitedFile file, string label, bool labelIsNumber, params IReadOnlyList<string> categorical)
    {
        if (categorical.FirstOrDefault(name => name == label || !file.Has(name)) is { } unknown)
            throw new UserException($"--categorical '{unknown}' is no column of features. Columns: {string.Join(", ", file.Header)}.");
        SourceColumn[] all = [.. file.Header.Where(name => name != label).Select(name =>
            new SourceColumn(name, Taken.Contains(name) ? Given + name : name, Option))];
        var own = new SourceColumn(label, Label, Option);
        var table = file.Load(ml, [.. all, own]);
        if (all.Length == 0)
            throw new UserException($"The table has no column beside the label '{label}'.");
        var isNumber = all.ToDictionary(column => column, column => !categorical.Contains(column.Source));
        var isFilled = all.ToDictionary(column => column, _ => false);
        using var cursor = table.GetRowCursor(table.Schema.Where(column => column.Name != Label));
        var getters = all.Select(column => cursor.GetGetter<ReadOnlyMemory<char>>(table.Schema[column.Name])).ToArray();
        ReadOnlyMemory<char> text = default;
        while (cursor.MoveNext())
        {
            for (var i = 0; i < all.Length; i++)
            {
                getters[i](ref text);
                var value = text.Span.Trim();
                if (NoNumber.Contains(value.ToString()))
                    continue;
                isFilled[all[i]] = true;
                isNumber[all[i]] &= float.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out _);
            }
        }

        return new FeatureTable(
            [.. all.Where(column => isNumber[column] && isFilled[column]).Select(column => column with { Kind = DataKind.Single })],
            [.. all.Where(column => !isNumber[column] || !isFilled[column])],
            labelIsNumber ? own with { Kind = DataKind.Single } : own);
    }

    /// <summary>Reads a table with these columns.</summary>
    /// <exception cref="UserException">The file lacks a column.</exception>
    public IDataView Load(MLContext ml, DelimitedFile file) => file.Load(ml, [.. _numbers, .. _categories, _label]);

    /// <summary>What makes features of a row: categories as indicators of their values, and numbers, in one vector.</summary>
    public IEstimator<ITransformer> Featurize(MLContext ml)
    {
        var concatenate = ml.Transforms.Concatenate(Features, [.. _categories.Concat(_numbers).Select(column => column.Name)]);
        return _categories.Length == 0
            ? concatenate
            : ml.Transforms.Categorical.OneHotEncoding([.. _categories.Select(column => new InputOutputColumnPair(column.Name))]).Append(concatenate);
    }
}
