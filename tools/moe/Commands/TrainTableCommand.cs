using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe;
using MoeTool.Data;
using MoeTool.Settings;
using Spectre.Console.Cli;

namespace MoeTool.Commands;

/// <summary>Trains on a table of numbers and categories, and tests it.</summary>
internal sealed class TrainTableCommand(ToolConsole console) : Command<TrainTableSettings>
{
    public override int Execute(CommandContext context, TrainTableSettings settings, CancellationToken cancellationToken)
    {
        var ml = new MLContext(settings.Seed ?? 1);
        var modelFile = OutputFile.Prepare(settings.Model, "--model");
        console.ShowMessages(ml);
        using var training = new LiveTraining(console);
        var (table, (train, validation, test)) = FeatureTable.LoadAll(
            console, ml, settings.Train, settings.Validation, settings.Test, settings.Label, settings.Task == TableTask.Regression, settings.Seed ?? 1,
            settings.Categorical);
        var run = new Run(ml, settings, training, validation, table.Featurize(ml));
        ITransformer model = settings.Task switch
        {
            TableTask.Regression => Regression(run, train),
            TableTask.Binary => Binary(run, train),
            _ => Multiclass(run, train),
        };
        using var disposal = model as IDisposable;
        if (modelFile is not null)
            ml.Model.SaveAtomically(model, train.Schema, modelFile);
        console.Line(modelFile is null ? "The model was not kept: --model FILE says where it goes." : $"Model: {modelFile}");
        TableResult.Show(console, ml, settings.Task, test, model.Transform(test));
        console.Line($"Fit seconds: {training.Elapsed.TotalSeconds:0}");
        return 0;
    }

    private static TransformerChain<MoeFeatureClassificationTransformer> Multiclass(Run run, IDataView train)
    {
        var options = new MoeFeatureClassificationTrainer.Options();
        run.Apply(options);
        var steps = run.Ml.Transforms.Conversion.MapValueToKey(FeatureTable.Label).Append(run.Featurize);
        return run.Fit(steps, options, () => run.Ml.MulticlassClassification.Trainers.MoeClassifier(options), train);
    }

    private TransformerChain<MoeBinaryClassificationTransformer> Binary(Run run, IDataView train)
    {
        var options = new MoeBinaryClassificationTrainer.Options();
        run.Apply(options);
        var steps = FeatureTable.ToTruth(console, run.Ml, train).Append(run.Featurize);
        return run.Fit(steps, options, () => run.Ml.BinaryClassification.Trainers.MoeBinaryClassifier(options), train);
    }

    private static TransformerChain<MoeRegressionTransformer> Regression(Run run, IDataView train)
    {
        var options = new MoeRegressionTrainer.Options();
        run.Apply(options);
        return run.Fit(run.Featurize, options, () => run.Ml.Regression.Trainers.MoeRegressor(options), train);
    }

    /// <summary>What trainings of all tasks share.</summary>
    private sealed record Run(
        MLContext Ml, TrainTableSettings Settings, LiveTraining Training, IDataView? Validation, IEstimator<ITransformer> Featurize)
    {
        public void Apply(MoeFeatureOptions options)
        {
            Training.Follow(options);
            Settings.ApplyTo(options);
            options.Validate();
        }

        // The steps before the trainer are fitted apart: rows that choose the best epoch go through them, too.
        public TransformerChain<T> Fit<T>(
            IEstimator<ITransformer> steps, MoeFeatureOptions options, Func<IEstimator<T>> trainerOf, IDataView train)
            where T : MoeTransformer => Training.Run(() =>
        {
            var prepared = steps.Fit(train);
            options.ValidationSet = Validation is null ? null : prepared.Transform(Validation);
            return prepared.Append(trainerOf().Fit(prepared.Transform(train)));
        });
    }
}
