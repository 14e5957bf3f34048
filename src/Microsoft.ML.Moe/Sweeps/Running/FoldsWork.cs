namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>A cross-validation: each part fits a pipeline without a fold of the rows, and measures it there.</summary>
/// <param name="setup">The sweep whose defaults are fitted.</param>
/// <param name="table">The table.</param>
/// <param name="folds">How many there are.</param>
/// <param name="samplingKeyColumn">Column whose equal values stay in the same fold; null for none.</param>
/// <param name="rows">Digest of the table.</param>
internal sealed class FoldsWork<TOptions>(SweepSetup<TOptions> setup, IDataView table, int folds, string? samplingKeyColumn, string rows)
    : PartsWork(setup.Ml, table, setup.Options, "Fold", folds, $"{rows} {setup.Space}")
    where TOptions : class, new()
{
    private readonly IReadOnlyList<DataOperationsCatalog.TrainTestData> _folds =
        setup.Ml.Data.CrossValidationSplit(table, folds, samplingKeyColumn, setup.Seed);

    protected override (double? Loss, Dictionary<string, double> Metrics) Do(int part, int? threads, ITrialReports reports)
    {
        var options = setup.OptionsOf(0);
        if (options is MoeTrainerOptions own)
        {
            own.Seed ??= setup.Seed;
            own.Threads ??= threads;
            own.StopToken = reports.Stop;
        }

        // the rows of the fold are kept from the trainer, which draws its own where it chooses its best epoch
        var model = setup.Fit.Create(options, setup.Seed).Fit(_folds[part].TrainSet);
        using var disposal = model as IDisposable;
        var (losses, metrics) = setup.Task.Measure(model, _folds[part].TestSet);
        return (setup.Task.Join(losses), metrics);
    }
}
