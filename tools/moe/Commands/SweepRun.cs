using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe;
using MoeTool.Settings;

namespace MoeTool.Commands;

/// <summary>Sweeps, saves the winner, tests it, and tells what was found: the same for texts, tables and images.</summary>
/// <param name="console">Where to.</param>
/// <param name="ml">Sweeps.</param>
/// <param name="settings">What the command line says.</param>
internal sealed class SweepRun(ToolConsole console, MLContext ml, SweepSettings settings)
{
    private volatile int _trials;
    private volatile string _best = "–";

    /// <summary>Runs it.</summary>
    /// <param name="tables">The data.</param>
    /// <param name="label">Column of the label.</param>
    /// <param name="before">Steps before what is swept; null for none.</param>
    /// <param name="sweepOf">Makes the sweep.</param>
    /// <param name="after">Steps after it; null for none.</param>
    /// <param name="test">Shows what the winner does on scored test rows.</param>
    public void Execute<TOptions>(
        Tables tables,
        string label,
        IEstimator<ITransformer>? before,
        Func<SweepOptions, SweepEstimator<TOptions>> sweepOf,
        IEstimator<ITransformer>? after,
        Action<IDataView> test)
        where TOptions : class, new()
    {
        var (modelFile, pageFile) = (OutputFile.Prepare(settings.Model, "--model"), OutputFile.Prepare(settings.Page, "--page"));
        if (settings.Journal is { } journal)
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(journal))!);
        using var training = new LiveTraining(console);
        var prepared = before?.Fit(tables.Train);
        var sweep = sweepOf(OptionsFor(label, tables.Validation is { } rows ? Prepared(rows) : null, training));
        training.Status = elapsed => (ShareOf(elapsed), $"Sweep (Ctrl+C ends it), {_trials} trials, best {_best}");
        var winner = training.Run(() => sweep.Fit(Prepared(tables.Train)));
        var model = prepared is null ? winner : new TransformerChain<ITransformer>(prepared, winner);
        if (after is not null)
            model = new TransformerChain<ITransformer>(model, after.Fit(model.Transform(tables.Train)));
        using var disposal = model as IDisposable;
        if (modelFile is not null)
            ml.Model.SaveAtomically(model, tables.Train.Schema, modelFile);
        var result = sweep.Result!;
        if (pageFile is not null)
        {
            result.SaveHtml(pageFile);
            console.Line($"Page: {pageFile}");
        }

        Show(result);
        console.Line(modelFile is null ? "The model was not kept: --model FILE says where it goes." : $"Model: {modelFile}");
        test(model.Transform(tables.Test));
        console.Line($"Trials: {result.Trials.Count}");
        var (name, isShare) = NameOf(result.Metric);
        var best = isShare ? Invariant($"{100 - result.Best!.Loss:0.00} %") : Invariant($"{result.Best!.Loss:0.0000}");
        console.Line($"Best {name}: {best} (trial {result.Best.Number})");

        IDataView Prepared(IDataView rows) => prepared?.Transform(rows) ?? rows;
    }

    private SweepOptions OptionsFor(string label, IDataView? validation, LiveTraining training) => new()
    {
        LabelColumnName = label,
        ValidationSet = validation,
        TimeBudget = settings.Minutes is { } minutes ? TimeSpan.FromMinutes(minutes) : null,
        MaxTrials = settings.Trials,
        JournalFile = settings.Journal,
        EnsembleSize = settings.Ensemble,
        Workers = settings.Workers,
        Seed = settings.Seed ?? 1,
        StopToken = training.StopToken,
        TrialChanged = OnTrial,
    };

    private void OnTrial(SweepTrial trial)
    {
        if (trial.Verdict is SweepVerdict.Running)
            return;
        _trials++;
        if (trial.Loss is { } loss && (!double.TryParse(_best, CultureInfo.InvariantCulture, out var best) || loss < best))
            _best = loss.ToString("0.0000", CultureInfo.InvariantCulture);
        var outcome = trial switch
        {
            { Error: { } error } => error,
            { Loss: { } found } => Invariant($"{found:0.0000}"),
            { BestEpochLoss: { } found } => Invariant($"stopped after epoch {trial.Epochs[^1].Epoch} of {trial.Epochs[^1].Epochs} at {found:0.0000}"),
            _ => "out of time",
        };
        console.Line(Invariant(
            $"Trial {trial.Number}: {outcome}, {trial.Duration.TotalSeconds:0} s ({string.Join(", ", trial.Options.Select(option => $"{option.Key} {option.Value}"))})"));
    }

    private double? ShareOf(TimeSpan elapsed) => settings.Minutes is { } minutes
        ? elapsed.TotalMinutes / minutes
        : settings.Trials is { } trials && _trials > 0 ? (double)_trials / trials : null;

    private void Show(SweepResult result)
    {
        if (result.EnsembleLoss is { } average)
            console.Line(Invariant($"Average of trials {string.Join(", ", result.Members)}: {average:0.0000}"));
        if (result.Confirmation is { } again)
            console.Line(Invariant(
                $"The winner with another seed: {again.Loss:0.0000}; its rows' difference to the defaults: {again.Difference:+0.0000;-0.0000} ± {again.StandardError:0.0000}"));
    }

    private static (string Name, bool IsShare) NameOf(SweepMetric metric) => metric switch
    {
        SweepMetric.RootMeanSquaredError => ("RMSE", false),
        SweepMetric.MeanAbsoluteError => ("mean absolute error", false),
        SweepMetric.ExactMatch => ("exact match", true),
        SweepMetric.F1 => ("F1", true),
        SweepMetric.RougeL => ("ROUGE-L", true),
        SweepMetric.RougeLsum => ("ROUGE-Lsum", true),
        _ => ("log-loss", false),
    };

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
