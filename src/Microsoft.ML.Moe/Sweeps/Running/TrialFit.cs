using Microsoft.ML.Data;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>What a trial is fitted with besides its options.</summary>
/// <param name="Seed">Of its context, and of a trainer of this library that has no seed of its own.</param>
/// <param name="Threads">Threads of such a trainer; null for all.</param>
/// <param name="CheckpointFile">Where such a trainer keeps its state; null for nowhere.</param>
/// <param name="EpochCompleted">Is told of its epochs.</param>
/// <param name="EpochRecalled">Is told of the last epoch before its checkpoint.</param>
/// <param name="CheckGoesOn">Throws when the sweep was cancelled.</param>
/// <param name="Stop">Ends its training; the best epoch is kept.</param>
internal sealed record TrialSetting(
    int Seed,
    int? Threads,
    string? CheckpointFile,
    Action<EpochReport> EpochCompleted,
    Action<EpochReport>? EpochRecalled,
    Action CheckGoesOn,
    CancellationToken Stop);

/// <summary>Fits the pipeline of a trial, step by step, so that a trainer of this library validates on the sweep's rows.</summary>
/// <param name="factory">Makes pipelines.</param>
/// <param name="rows">The rows.</param>
/// <param name="context">Makes contexts with a seed.</param>
/// <param name="task">How the trial will be measured.</param>
internal sealed class TrialFit<TOptions>(
    Func<MLContext, TOptions, IEstimator<ITransformer>> factory, SweepRows rows, Func<int, MLContext> context, SweepTask task)
    where TOptions : class, new()
{
    private readonly EncoderStateCache _states = new();

    /// <summary>Fits a pipeline.</summary>
    /// <param name="options">The trial's options; changed.</param>
    /// <param name="setting">What else it is fitted with.</param>
    public ITransformer Fit(TOptions options, TrialSetting setting)
    {
        var validation = new SteppedView(rows.Validation);
        if (options is MoeTrainerOptions own)
            Prepare(own, setting, validation);
        IDataView training = rows.Training;
        var fitted = new List<ITransformer>();
        try
        {
            foreach (var step in EstimatorSteps.Of(Create(options, setting.Seed)))
            {
                setting.CheckGoesOn();
                var transformer = step.Fit(training);
                fitted.Add(transformer);
                training = transformer.Transform(training);
                validation.Take(transformer);
            }
        }
        catch
        {
            foreach (var transformer in fitted)
                (transformer as IDisposable)?.Dispose();
            throw;
        }

        return fitted is [var alone] ? alone : new TransformerChain<ITransformer>([.. fitted]);
    }

    /// <summary>The pipeline of a trial.</summary>
    /// <exception cref="InvalidOperationException">The factory gives none.</exception>
    public IEstimator<ITransformer> Create(TOptions options, int seed) =>
        factory(context(seed), options) ?? throw new InvalidOperationException("The sweep's factory gave null in place of an estimator.");

    private void Prepare(MoeTrainerOptions options, TrialSetting setting, IDataView validation)
    {
        options.Seed ??= setting.Seed;
        options.Threads ??= setting.Threads;
        options.CheckpointFile = setting.CheckpointFile;
        options.EpochCompleted += setting.EpochCompleted;
        options.EpochRecalled = setting.EpochRecalled;
        options.StopToken = setting.Stop;
        options.ValidationRows = validation;
        task.Prepare(options);
        // the pass of a frozen encoder is the same in all trials
        if (options is MoeTextClassificationTrainer.Options { Encoder: not null } text)
            text.KeptStates ??= _states;
    }
}
