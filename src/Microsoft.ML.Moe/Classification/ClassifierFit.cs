using Microsoft.ML.Moe.Fitting;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Classification;

/// <summary>The <c>Fit</c> of a trainer of classifiers: reads the tables, trains, and tells how it goes.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
/// <param name="name">Name of the trainer.</param>
/// <param name="host">The trainer's; can cancel.</param>
/// <param name="channel">Takes the log.</param>
/// <param name="options">Columns and training.</param>
internal sealed class ClassifierFit<TRow>(string name, IHost host, IChannel channel, IClassificationOptions options)
{
    /// <summary>Trains a classifier.</summary>
    public delegate Classifier<TRow> Trainer(
        IReadOnlyList<LabelledRow<TRow>> training,
        IReadOnlyList<LabelledRow<TRow>>? validation,
        ITrainingObserver observer,
        CancellationToken stop);

    /// <summary>Trains a classifier on a table.</summary>
    /// <param name="input">The table.</param>
    /// <param name="classes">Its label.</param>
    /// <param name="prepare">Prepares training on an engine: what reads the tables, and what trains.</param>
    /// <returns>The classifier, which owns its engine.</returns>
    public SharedModel<Classifier<TRow>> Run(
        IDataView input, LabelClasses classes, Func<Engine, (RowSource<TRow> Source, Trainer Train)> prepare)
    {
        var engine = Engines.Create(host, options.Device, options.Precision, options.Threads);
        try
        {
            var (source, train) = prepare(engine);
            var reader = new LabelledTableReader<TRow>(host, source, engine, options.StopToken);
            var training = reader.Read(
                input, source.Find(input.Schema), classes.Column, WeightOf(input), row => LabelReader.OfKeys(row, classes.Column));
            Log(source, "training", training);
            classes.Check(training);
            var validation = options.ValidationSet is { } set ? ReadValidation(reader, source, set, classes) : null;
            channel.Info(
                MessageSensitivity.None,
                $"Training on {training.Rows.Count} rows, {classes.Count} classes, engine: {engine.Description}.");
            var classifier = new FitRun(host, channel, options.EpochCompleted, options.StopToken).Train(
                name, observer => train(training.Rows, validation?.Rows, observer, options.StopToken));
            channel.Info(MessageSensitivity.None, $"The model has {classifier.ParameterCount} parameters.");
            PeakMemory.Log(channel, engine);
            return new SharedModel<Classifier<TRow>>(classifier, engine);
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

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
        table.Log(channel, which, options.LabelColumnName);
        source.Log(channel, which, table.Rows.Select(row => row.Input));
    }
}
