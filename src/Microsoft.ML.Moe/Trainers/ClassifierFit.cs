using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>The <c>Fit</c> of a trainer of classifiers: reads the labelled tables and trains.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
/// <param name="run">The training.</param>
/// <param name="options">Columns and training.</param>
internal sealed class ClassifierFit<TRow>(FitRun run, MoeClassifierOptions options)
{
    /// <summary>Trains a classifier on a table.</summary>
    /// <param name="input">The table.</param>
    /// <param name="classes">Its label.</param>
    /// <param name="prepare">Prepares training on an engine: what reads rows, and what trains.</param>
    /// <param name="rowsOf">Gives what reads the rows of a trained model.</param>
    public FittedModel<TRow> Execute(
        IDataView input,
        LabelClasses classes,
        Func<Engine, (RowSource<TRow> Rows, Trainer<TRow> Trainer)> prepare,
        Func<Model<TRow>, RowSource<TRow>> rowsOf) => run.Run(rowsOf, engine =>
    {
        var (source, trainer) = prepare(engine);
        var reader = new LabelledTableReader<TRow>(run.CheckGoesOn, source, engine);
        var training = reader.Read(
            input, source.Find(input.Schema), classes.Column, WeightOf(input), row => LabelReader.OfKeys(row, classes.Column));
        Log(source, "training", training);
        classes.Check(training);
        var validation = options.ValidationSet is { } set ? ReadValidation(reader, source, set, classes) : null;
        run.Channel.Info(
            MessageSensitivity.None, $"Training on {training.Rows.Count} rows, {classes.Count} classes, engine: {engine.Description}.");
        return observer => trainer.Train(training.Rows, validation?.Rows, observer, options.StopToken);
    });

    private LabelledTable<TRow> ReadValidation(
        LabelledTableReader<TRow> reader, RowSource<TRow> source, IDataView data, LabelClasses classes)
    {
        var label = InputColumns.Find(data.Schema, options.LabelColumnName, "label");
        var columns = source.Find(data.Schema);
        var table = reader.Read(
            data, columns, label, WeightOf(data), row => LabelReader.Matching(row, label, classes.Count, classes.Values, "validation set"));
        Log(source, "validation", table);
        return table.Rows.Count > 0
            ? table
            : throw new InvalidOperationException(
                $"{nameof(options.ValidationSet)} has no rows whose label, in column '{label.Name}', is among the training set's.");
    }

    private DataViewSchema.Column? WeightOf(IDataView data) =>
        options.WeightColumnName is { } weight ? InputColumns.Weight(data.Schema, weight) : null;

    private void Log(RowSource<TRow> source, string which, LabelledTable<TRow> table)
    {
        table.Log(run.Channel, which, options.LabelColumnName);
        source.Log(run.Channel, which, table.Rows.Select(row => row.Input));
    }
}
