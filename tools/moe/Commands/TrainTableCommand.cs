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
    private const string GivenLabel = "GivenLabel";
    private const int MostLabelsNamed = 5;
    private static readonly string[] Yes = ["1", "true", "yes", "y", "t", "positive", "pos"];

    public override int Execute(CommandContext context, TrainTableSettings settings, CancellationToken cancellationToken)
    {
        var ml = new MLContext(settings.Seed ?? 1);
        var modelFile = OutputFile.Prepare(settings.Model, "--model");
        console.ShowMessages(ml);
        using var training = new LiveTraining(console);
        var file = DelimitedFile.Open(settings.Train);
        var table = FeatureTable.Of(ml, file, settings.Label, labelIsNumber: settings.Task == TableTask.Regression);
        var (train, validation, test) = Load(ml, settings, table, file);
        console.Line($"{table.Counts.Numbers} columns are numbers, {table.Counts.Categories} are categories.");
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
        var steps = run.Ml.Transforms.CopyColumns(GivenLabel, FeatureTable.Label)
            .Append(run.Ml.Transforms.Conversion.MapValue(FeatureTable.Label, Truths(train), GivenLabel))
            .Append(run.Featurize);
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

    /// <summary>Which of the two labels is yes: one that says so, or else the later of the two.</summary>
    private Dictionary<string, bool> Truths(IDataView train)
    {
        string[] labels = [.. train.GetColumn<string>(FeatureTable.Label).Distinct().Order(StringComparer.Ordinal)];
        if (labels.Length != 2)
        {
            var named = string.Join(", ", labels.Take(MostLabelsNamed).Select(label => $"'{label}'")) + (labels.Length > MostLabelsNamed ? ", …" : "");
            throw new UserException($"--task binary needs a label of two values; there are {labels.Length}: {named}.");
        }

        var yes = Array.Find(labels, label => Yes.Contains(label.Trim().ToLowerInvariant())) ?? labels[1];
        console.Line($"'{yes}' counts as true.");
        return labels.ToDictionary(label => label, label => label == yes);
    }

    private (IDataView Train, IDataView? Validation, IDataView Test) Load(
        MLContext ml, TrainTableSettings settings, FeatureTable table, DelimitedFile file)
    {
        var train = Read(file);
        var validation = settings.Validation is null ? null : Read(DelimitedFile.Open(settings.Validation));
        if (settings.Test is not null)
            return (train, validation, Read(DelimitedFile.Open(settings.Test)));
        var split = ml.Data.TrainTestSplit(train, testFraction: 0.2, seed: settings.Seed ?? 1);
        return (split.TrainSet, validation, split.TestSet);

        IDataView Read(DelimitedFile opened)
        {
            if (opened.Ragged is { } ragged)
                console.Line("Warning: " + ragged);
            return table.Load(ml, opened);
        }
    }

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
