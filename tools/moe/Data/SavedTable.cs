using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using MoeTool.Settings;

namespace MoeTool.Data;

/// <summary>A model of tables of numbers and categories that was saved, as <c>train-table</c> makes it.</summary>
internal sealed class SavedTable
{
    private readonly MLContext _ml;
    private readonly SavedModel _saved;
    private readonly SourceColumn[] _inputs;
    private readonly DataKind _labelKind;

    /// <summary>Finds out what a model reads.</summary>
    /// <exception cref="UserException">A command line cannot give it that.</exception>
    public SavedTable(MLContext ml, SavedModel saved)
    {
        (_ml, _saved) = (ml, saved);
        Task = saved.Model switch
        {
            MoeRegressionTransformer => TableTask.Regression,
            MoeBinaryClassificationTransformer => TableTask.Binary,
            _ => TableTask.Multiclass,
        };
        _labelKind = Task == TableTask.Regression ? DataKind.Single : DataKind.String;
        DataViewSchema.Column[] columns = [.. saved.Input.Where(column => !column.IsHidden)];
        if (!Array.Exists(columns, column => column.Name == FeatureTable.Label && KindOf(column) == _labelKind)
            || Array.Exists(columns, column => KindOf(column) is null))
        {
            throw new UserException(
                $"'{saved.File}' does not read numbers, categories and a column '{FeatureTable.Label}', as what train-table makes: write a program of a "
                + "few lines that loads it, as the samples do.");
        }

        _inputs = [.. columns.Where(column => column.Name != FeatureTable.Label).Select(column =>
            new SourceColumn(FeatureTable.SourceOf(column.Name), column.Name, "a file that has it", KindOf(column)!.Value))];
    }

    /// <summary>What was learned.</summary>
    public TableTask Task { get; }

    /// <summary>The columns that it reads, named as in training.</summary>
    public IReadOnlyList<string> Inputs => [.. _inputs.Select(column => column.Source)];

    /// <summary>Reads rows as the model wants them.</summary>
    /// <param name="data">The table.</param>
    /// <param name="label">The column of labels; null for one that is called so.</param>
    /// <param name="needsLabel">Whether rows are of use without labels.</param>
    /// <exception cref="UserException">The table is not there, or lacks a column.</exception>
    public IDataView Read(string data, string? label, bool needsLabel)
    {
        var file = DelimitedFile.Open(data);
        var labels = new SourceColumn(label ?? FeatureTable.Label, FeatureTable.Label, "--label", _labelKind);
        if (needsLabel || file.Has(labels.Source))
            return file.Load(_ml, [.. _inputs, labels]);
        // the steps before the model ask for labels; any text is one that they do not know
        var rows = file.Load(_ml, _inputs);
        return _labelKind == DataKind.Single
            ? _ml.Transforms.CopyColumns(FeatureTable.Label, _inputs.First(column => column.Kind == DataKind.Single).Name).Fit(rows).Transform(rows)
            : _ml.Transforms.Conversion.ConvertType(FeatureTable.Label, _inputs[0].Name, DataKind.String).Fit(rows).Transform(rows);
    }

    /// <summary>Rows with predictions.</summary>
    public IDataView Transform(IDataView rows) => _saved.Chain.Transform(rows);

    /// <summary>Lines of predictions, the first their header.</summary>
    public IEnumerable<string> Predict(IDataView rows)
    {
        var scored = Transform(rows);
        // what the steps make of a column hides it where it has the same name
        var inputs = _inputs.Select(column => scored.Schema.First(own => own.Name == column.Name && KindOf(own) == column.Kind)).ToList();
        var predicted = scored.Schema[Task == TableTask.Regression ? "Score" : "PredictedLabel"];
        var probability = Task switch
        {
            TableTask.Regression => (DataViewSchema.Column?)null,
            TableTask.Binary => scored.Schema["Probability"],
            _ => scored.Schema["Score"],
        };
        using var cursor = scored.GetRowCursor([predicted, .. inputs, .. probability is { } wanted ? [wanted] : Array.Empty<DataViewSchema.Column>()]);
        yield return (Task == TableTask.Regression ? "Prediction\t" : Predictions.Header) + string.Join('\t', Inputs);
        var predictedOf = Predictions.TextOf(cursor, predicted);
        var probabilityOf = probability is { } column ? Predictions.ProbabilityOf(cursor, column) : null;
        var inputsOf = inputs.ConvertAll(input => Predictions.TextOf(cursor, input));
        while (cursor.MoveNext())
        {
            var values = inputsOf.Select(text => text());
            yield return probabilityOf is null
                ? string.Join('\t', values.Select(Predictions.Field).Prepend(predictedOf()))
                : Predictions.Line(predictedOf(), probabilityOf(), values);
        }
    }

    /// <summary>What the routers do with rows.</summary>
    public RoutingReport Report(IDataView rows, CancellationToken stop) => _saved.Model is MoeFeatureTransformer numbers
        ? numbers.ReportRouting(_saved.Prepared(rows), cancellationToken: stop)
        : ((MoeFeatureClassificationTransformer)_saved.Model).ReportRouting(_saved.Prepared(rows), cancellationToken: stop);

    /// <summary>What other routers would do with such rows.</summary>
    /// <exception cref="UserException">The model tells no classes.</exception>
    public IReadOnlyList<RoutingComparison> Compare(IDataView rows) => _saved.Model is MoeFeatureClassificationTransformer classes
        ? classes.CompareRouting(_saved.Prepared(rows), Routers.WorthComparing(classes.Router), FeatureTable.Label)
        : throw new UserException("--compare is of models that tell classes.");

    private static DataKind? KindOf(DataViewSchema.Column column) =>
        column.Type is TextDataViewType ? DataKind.String : column.Type == NumberDataViewType.Single ? DataKind.Single : null;
}
