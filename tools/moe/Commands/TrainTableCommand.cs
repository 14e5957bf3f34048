using System.Globalization;
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
            console, ml, settings.Train, settings.Validation, settings.Test, settings.Label, settings.Task == TableTask.Regression, settings.Seed ?? 1);
        var run = new Run(ml, settings, training, validation, table.Featurize(ml));
        var (model, show) = settings.Task switch
        {
            TableTask.Regression => Regression(run, train),
            TableTask.Binary => Binary(run, train),
            _ => Multiclass(run, train),
        };
        using var disposal = model as IDisposable;
        if (modelFile is not null)
            ml.Model.SaveAtomically(model, train.Schema, modelFile);
        console.Line(modelFile is null ? "The model was not kept: --model FILE says where it goes." : $"Model: {modelFile}");
        show(model.Transform(test));
        console.Line($"Fit seconds: {training.Elapsed.TotalSeconds:0}");
        return 0;
    }

    private (ITransformer Model, Action<IDataView> Show) Multiclass(Run run, IDataView train)
    {
        var options = new MoeFeatureClassificationTrainer.Options();
        run.Apply(options);
        var steps = run.Ml.Transforms.Conversion.MapValueToKey(FeatureTable.Label).Append(run.Featurize);
        return (run.Fit(steps, options, () => run.Ml.MulticlassClassification.Trainers.MoeClassifier(options), train), scored =>
        {
            var metrics = run.Ml.MulticlassClassification.Evaluate(scored);
            Show("accuracy", metrics.MicroAccuracy);
            Show("log-loss", metrics.LogLoss);
        });
    }

    private (ITransformer Model, Action<IDataView> Show) Binary(Run run, IDataView train)
    {
        var options = new MoeBinaryClassificationTrainer.Options();
        run.Apply(options);
        var steps = FeatureTable.ToTruth(console, run.Ml, train).Append(run.Featurize);
        return (run.Fit(steps, options, () => run.Ml.BinaryClassification.Trainers.MoeBinaryClassifier(options), train), scored =>
        {
            var metrics = run.Ml.BinaryClassification.Evaluate(scored);
            Show("accuracy", metrics.Accuracy);
            Show("log-loss", metrics.LogLoss * Math.Log(2)); // in bits before
            Show("AUC", metrics.AreaUnderRocCurve);
        });
    }

    private (ITransformer Model, Action<IDataView> Show) Regression(Run run, IDataView train)
    {
        var options = new MoeRegressionTrainer.Options();
        run.Apply(options);
        return (run.Fit(run.Featurize, options, () => run.Ml.Regression.Trainers.MoeRegressor(options), train), scored =>
        {
            var metrics = run.Ml.Regression.Evaluate(scored);
            Show("RMSE", metrics.RootMeanSquaredError);
            Show("R²", metrics.RSquared);
        });
    }

    private void Show(string name, double value) => console.Line(string.Create(CultureInfo.InvariantCulture, $"Test {name}: {value:0.0000}"));

    /// <summary>What trainings of all tasks share.</summary>
    private sealed record Run(
        MLContext Ml, TrainTableSettings Settings, LiveTraining Training, IDataView? Validation, IEstimator<ITransformer> Featurize)
    {
        public void Apply(MoeFeatureOptions options)
        {
            options.EpochCompleted = Training.OnEpoch;
            options.StopToken = Training.StopToken;
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
