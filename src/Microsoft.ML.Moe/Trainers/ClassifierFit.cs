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
            input, source.Find(options.ColumnsOf(input)), classes.Column, WeightOf(options.ColumnsOf(input)), row => LabelReader.OfKeys(row, classes.Column));
        Log(source, "training", training);
        training.BadRows.Tell(options.TrainingSet, training.Rows.Count, run.Channel);
        training.CheckWeights(options.TrainingSet, options.WeightColumnName);
        classes.Check(training);
        source.CheckInformation([.. training.Counting.Select(row => row.Input)], options.TrainingSet, isLearned: true);
        classes.CheckRepeat(training, run.Channel);
        var validation = options.ValidationSet is { } set ? ReadValidation(reader, source, set, classes) : null;
        run.Channel.Info(
            MessageSensitivity.None, $"Training on {training.Rows.Count} rows, {classes.Count} classes, engine: {engine.Description}.");
        return observer => trainer.Train(training.Rows, validation?.Rows, observer, options.StopToken);
    });

    private LabelledTable<TRow> ReadValidation(
        LabelledTableReader<TRow> reader, RowSource<TRow> source, IDataView data, LabelClasses classes)
    {
        var schema = new NamedSchema(data.Schema, TableName.ValidationSet);
        var label = InputColumns.Find(schema, options.LabelColumnName, "label");
        var columns = source.Find(schema);
        var table = reader.Read(
            data, columns, label, WeightOf(schema), row => LabelReader.Matching(row, label, classes.Count, classes.Values, "validation set"));
        Log(source, "validation", table);
        table.BadRows.Tell(schema.Table, table.Rows.Count, run.Channel);
        table.CheckWeights(schema.Table, options.WeightColumnName);
        source.CheckInformation([.. table.Counting.Select(row => row.Input)], schema.Table, isLearned: false);
        return table.Rows.Count > 0
            ? table
            : throw new InvalidOperationException(
                $"{nameof(options.ValidationSet)} has no rows whose label, in column '{label.Name}', is among the training set's.");
    }

    private DataViewSchema.Column? WeightOf(NamedSchema schema) =>
        options.WeightColumnName is { } weight ? InputColumns.Weight(schema, weight) : null;

    private void Log(RowSource<TRow> source, string which, LabelledTable<TRow> table)
    {
        table.Log(run.Channel, which, options.LabelColumnName);
        source.Log(run.Channel, which, table.Rows.Select(row => row.Input));
    }
}
