using Microsoft.ML;
using Microsoft.ML.Moe;
using MoeTool.Data;
using MoeTool.Settings;
using Spectre.Console.Cli;

namespace MoeTool.Commands;

/// <summary>Searches for good options of a classifier of texts.</summary>
internal sealed class SweepTextCommand(ToolConsole console) : Command<SweepTextSettings>
{
    public override int Execute(CommandContext context, SweepTextSettings settings, CancellationToken cancellationToken)
    {
        var ml = new MLContext(settings.Seed ?? 1);
        var columns = TextTables.Of(settings.Label, settings.Text, settings.Text2);
        var space = settings.WithEpochs(settings.Encoder is null ? SearchSpaces.Text : SearchSpaces.PublishedText(Encoders.Named(settings.Encoder)))
            .Fix(o => o.LabelColumnName, columns.Label.Name)
            .Fix(o => o.Sentence1ColumnName, columns.Texts[0].Name)
            .Fix(o => o.Sentence2ColumnName, columns.Second);
        var tables = columns.Load(console, ml, settings.Train, settings.Validation, settings.Test, settings.Seed ?? 1);
        new ClassifierSweep(console, ml, settings).Execute(
            tables, columns.Label.Name, null, space, (own, o) => own.MulticlassClassification.Trainers.MoeTextClassifier(o));
        return 0;
    }
}

/// <summary>Searches for good options of an encoder–decoder that writes one text to another.</summary>
internal sealed class SweepTextToTextCommand(ToolConsole console) : Command<SweepTextToTextSettings>
{
    public override int Execute(CommandContext context, SweepTextToTextSettings settings, CancellationToken cancellationToken)
    {
        var ml = new MLContext(settings.Seed ?? 1);
        if (settings.Source == settings.Target)
            throw new UserException($"Column '{settings.Source}' cannot be read and written.");
        var columns = new TextTables(
            new SourceColumn(settings.Target, settings.Target, "--target"), [new SourceColumn(settings.Source, settings.Source, "--source")]);
        var tables = columns.Load(console, ml, settings.Train, settings.Validation, settings.Test, settings.Seed ?? 1);
        var space = settings.WithEpochs(SearchSpaces.TextToText(PublishedModels.Named(settings.From)))
            .Fix(o => o.SourceColumnName, settings.Source)
            .Fix(o => o.TargetColumnName, settings.Target);
        new SweepRun(console, ml, settings).Execute(
            tables,
            settings.Target,
            before: null,
            options =>
            {
                options.Metric = settings.Metric;
                return ml.Transforms.Text.Sweep(space, (own, o) => own.Transforms.Text.MoeTextToText(o), options);
            },
            after: null,
            scored => GeneratorRun.ShowScores(console, ml.Data.Cache(scored, settings.Target, GeneratorRun.Output), settings.Target));
        return 0;
    }
}

/// <summary>Searches for good options of a classifier of images.</summary>
internal sealed class SweepImagesCommand(ToolConsole console) : Command<SweepImagesSettings>
{
    public override int Execute(CommandContext context, SweepImagesSettings settings, CancellationToken cancellationToken)
    {
        var ml = new MLContext(settings.Seed ?? 1);
        var space = settings.WithEpochs(SearchSpaces.Images)
            .Fix(o => o.LabelColumnName, ImageTables.Label)
            .Fix(o => o.FeatureColumnName, ImageTables.Image)
            .Fix(o => o.ImageWidth, settings.Size)
            .Fix(o => o.HorizontalFlip, settings.Flip);
        var tables = ImageTables.Load(ml, settings.Data, settings.Validation, settings.Test, settings.Path, settings.Label, settings.Seed ?? 1);
        new ClassifierSweep(console, ml, settings).Execute(
            tables, ImageTables.Label, ImageTables.Read(ml), space, (own, o) => own.MulticlassClassification.Trainers.MoeImageClassifier(o));
        return 0;
    }
}

/// <summary>Searches for good options on a table of numbers and categories.</summary>
internal sealed class SweepTableCommand(ToolConsole console) : Command<SweepTableSettings>
{
    public override int Execute(CommandContext context, SweepTableSettings settings, CancellationToken cancellationToken)
    {
        var ml = new MLContext(settings.Seed ?? 1);
        var (table, tables) = FeatureTable.LoadAll(
            console, ml, settings.Train, settings.Validation, settings.Test, settings.Label, settings.Task == TableTask.Regression, settings.Seed ?? 1,
            settings.Categorical);
        var run = new SweepRun(console, ml, settings);
        switch (settings.Task)
        {
            case TableTask.Regression:
                run.Execute(
                    tables,
                    FeatureTable.Label,
                    table.Featurize(ml),
                    options => ml.Regression.Trainers.Sweep(
                        settings.WithEpochs(SearchSpaces.RegressionTables), (own, o) => own.Regression.Trainers.MoeRegressor(o), options),
                    after: null,
                    scored => TableResult.Show(console, ml, settings.Task, tables.Test, scored));
                break;
            case TableTask.Binary:
                run.Execute(
                    tables,
                    FeatureTable.Label,
                    FeatureTable.ToTruth(console, ml, tables.Train).Append(table.Featurize(ml)),
                    options => ml.BinaryClassification.Trainers.Sweep(
                        settings.WithEpochs(SearchSpaces.BinaryTables), (own, o) => own.BinaryClassification.Trainers.MoeBinaryClassifier(o), options),
                    after: null,
                    scored => TableResult.Show(console, ml, settings.Task, tables.Test, scored));
                break;
            default:
                new ClassifierSweep(console, ml, settings).Execute(
                    tables,
                    FeatureTable.Label,
                    table.Featurize(ml),
                    settings.WithEpochs(SearchSpaces.Tables),
                    (own, o) => own.MulticlassClassification.Trainers.MoeClassifier(o));
                break;
        }

        return 0;
    }
}

/// <summary>A sweep over classes: the label becomes a key before it, and the predicted key a label after it.</summary>
/// <param name="console">Where to.</param>
/// <param name="ml">Sweeps.</param>
/// <param name="settings">What the command line says.</param>
internal sealed class ClassifierSweep(ToolConsole console, MLContext ml, SweepSettings settings)
{
    /// <summary>Runs it.</summary>
    public void Execute<TOptions>(
        Tables tables,
        string label,
        IEstimator<ITransformer>? before,
        SearchSpace<TOptions> space,
        Func<MLContext, TOptions, IEstimator<ITransformer>> factory)
        where TOptions : class, new()
    {
        var labels = Predictions.CountBy(tables.Test, label);
        IEstimator<ITransformer> toKey = ml.Transforms.Conversion.MapValueToKey(label);
        new SweepRun(console, ml, settings).Execute(
            tables,
            label,
            before is null ? toKey : toKey.Append(before),
            options => ml.MulticlassClassification.Trainers.Sweep(space, factory, options),
            ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"),
            scored => TestResult.Of(ml, scored, label, labels).ShowTotals(console));
    }
}
