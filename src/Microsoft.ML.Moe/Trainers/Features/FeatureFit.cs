using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>The <c>Fit</c> of a trainer on features: reads the tables and trains.</summary>
/// <param name="run">The training.</param>
/// <param name="options">Columns and training.</param>
/// <param name="environment">Loads the initial model.</param>
internal sealed class FeatureFit(FitRun run, MoeFeatureOptions options, IHostEnvironment environment)
{
    /// <summary>Trains a model on a table.</summary>
    /// <param name="input">The table.</param>
    /// <param name="label">Its label.</param>
    public FittedModel<FeatureRow> Execute(IDataView input, FeatureLabel label)
    {
        var features = FeatureColumn.Of(options.ColumnsOf(input), options.FeatureColumnName);
        var rows = new FeatureRows(options.FeatureColumnName, features.Slots);
        var start = FindStart(label, features.Slots);
        return run.Run<FeatureRow>(_ => rows, engine =>
        {
            var reader = new LabelledTableReader<FeatureRow>(run.CheckGoesOn, rows, engine);
            var training = reader.ReadTargets(input, rows.Find(options.ColumnsOf(input)), label.Column, WeightOf(options.ColumnsOf(input)), label.ReaderOf);
            training.Log(run.Channel, "training", options.LabelColumnName);
            training.BadRows.Tell(options.TrainingSet, training.Rows.Count, run.Channel);
            training.CheckWeights(options.TrainingSet, options.ExampleWeightColumnName);
            label.Check(training);
            rows.CheckInformation([.. training.Counting.Select(row => row.Input)], options.TrainingSet, isLearned: true);
            label.Classes?.CheckRepeat(training, run.Channel);
            var validation = options.ValidationSet is { } set ? ReadValidation(reader, rows, set, label) : null;
            run.Channel.Info(
                MessageSensitivity.None,
                $"Training on {training.Rows.Count} rows of {features.Slots} slots, {label.Description}, engine: {engine.Description}.");
            var trainer = new FeatureTrainer(options.ToConfig(features), features.Slots, label.Task, engine, start?.Values);
            return observer => trainer.Train(training.Rows, validation?.Rows, observer, options.StopToken);
        });
    }

    private StartingPoint? FindStart(FeatureLabel label, int slots)
    {
        var start = options.InitialModel?.Use(
            environment, model => StartingPoint.Of(model, label.Classes?.Values, label.Classes?.Count ?? 1, tokenizer: null));
        if (start is not null && (start.Values.Input as FeatureInputConfig)?.Slots != slots)
        {
            throw new InvalidOperationException(
                $"{nameof(options.InitialModel)} does not read vectors of {slots} slots, as column '{options.FeatureColumnName}' has; start from a "
                + "model of the same features.");
        }

        if (start is not null)
            run.Channel.Info(MessageSensitivity.None, start.Description);
        else if (options.FreezeRouter)
            run.Channel.Warning(
                MessageSensitivity.None,
                $"{nameof(options.FreezeRouter)} is set without {nameof(options.InitialModel)}, so the routers keep their random initial weights.");
        return start;
    }

    private LabelledTable<FeatureRow> ReadValidation(
        LabelledTableReader<FeatureRow> reader, FeatureRows rows, IDataView data, FeatureLabel label)
    {
        var schema = new NamedSchema(data.Schema, TableName.ValidationSet);
        var column = label.Find(schema);
        var table = reader.ReadTargets(data, rows.Find(schema), column, WeightOf(schema), row => label.ReaderOf(row, column));
        table.Log(run.Channel, "validation", options.LabelColumnName);
        table.BadRows.Tell(schema.Table, table.Rows.Count, run.Channel);
        table.CheckWeights(schema.Table, options.ExampleWeightColumnName);
        rows.CheckInformation([.. table.Counting.Select(row => row.Input)], schema.Table, isLearned: false);
        return table.Rows.Count > 0
            ? table
            : throw new InvalidOperationException($"{nameof(options.ValidationSet)} has no rows with a known label in column '{column.Name}'.");
    }

    private DataViewSchema.Column? WeightOf(NamedSchema schema) =>
        options.ExampleWeightColumnName is { } weight ? InputColumns.Weight(schema, weight) : null;
}
