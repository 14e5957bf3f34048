using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Sweeps.Running;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>
/// The <see cref="IEstimator{TTransformer}"/> that fits a pipeline with many options and gives the best of its models: an ordinary transformer, as
/// if that one pipeline had been fitted.
/// </summary>
/// <typeparam name="TOptions">Class of the options.</typeparam>
/// <remarks>
/// The defaults are the first trial, so the result is never worse than theirs on the validation rows. Further trials are scrambled quasi-random points of the
/// space under asynchronous successive halving (Li et al. 2020, ASHA): after a ninth and a third of its epochs a trial goes on only if it is among the best
/// third so far. That needs a trainer of this library; anything else is fitted as a whole. See <see cref="SweepOptions"/>.
/// </remarks>
public sealed class SweepEstimator<TOptions> : IEstimator<ITransformer>, IQueueSource
    where TOptions : class, new()
{
    private readonly IHost _host;
    private readonly SearchSpace<TOptions> _space;
    private readonly Func<MLContext, TOptions, IEstimator<ITransformer>> _factory;
    private readonly SweepOptions _options;
    private readonly Func<SweepOptions, SweepTask> _task;

    internal SweepEstimator(
        IHostEnvironment environment,
        SearchSpace<TOptions> space,
        Func<MLContext, TOptions, IEstimator<ITransformer>> factory,
        SweepOptions? options,
        Func<SweepOptions, SweepTask> task)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentNullException.ThrowIfNull(factory);
        _options = options?.Clone() ?? new SweepOptions();
        _options.Validate();
        _options.Seed ??= Environments.SeedOf(environment);
        (_space, _factory, _task) = (space, factory, task);
        if (_options.Metric is not SweepMetric.Automatic && task(_options).Metric != _options.Metric)
            throw new ArgumentException($"{nameof(SweepOptions.Metric)} = {_options.Metric} is none of what is predicted here.", nameof(options));
        CheckSpace();
        _host = environment.Register(nameof(SweepEstimator<>));
    }

    /// <summary>What the last <see cref="Fit"/> has found, or had when it ended with an error; null before.</summary>
    public SweepResult? Result { get; private set; }

    /// <summary>The options of <see cref="SweepResult.Best"/>; null where there is none.</summary>
    public TOptions? BestOptions { get; private set; }

    /// <summary>Sweeps.</summary>
    /// <param name="input">The rows: to learn from, and, without <see cref="SweepOptions.ValidationSet"/>, a share of them to compare on.</param>
    /// <returns>The model of the best trial, or the average of some. Dispose it to release its memory early.</returns>
    /// <exception cref="ArgumentException">A column is missing or of the wrong type, or the defaults are impossible; the message says which.</exception>
    /// <exception cref="InvalidOperationException">No trial could be trained; the message says why.</exception>
    /// <exception cref="InvalidDataException">The journal is damaged, or that of another sweep.</exception>
    /// <exception cref="IOException">The journal cannot be written.</exception>
    /// <exception cref="OperationCanceledException">Execution was cancelled on the <see cref="MLContext"/>.</exception>
    public ITransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var channel = _host.Start("Sweep");
        var setup = SetUp(input);
        using var run = new SweepRun<TOptions>(setup, channel);
        try
        {
            return run.Execute();
        }
        finally
        {
            Result = run.Result;
            BestOptions = Result.Best is { } best ? setup.OptionsOf(best.Number) : null;
        }
    }

    /// <summary>The columns that a table of this shape will have after scoring.</summary>
    /// <param name="inputSchema">Shape of the table.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        var seed = _options.Seed ?? 0;
        var defaults = _space.Create(new Proposals<TOptions>(_space, seed)[0]!);
        return _factory(Environments.Beside(_host, seed), defaults).GetOutputSchema(inputSchema);
    }

    SweepOptions IQueueSource.Options => _options;

    IQueueWork IQueueSource.Prepare(IDataView table) => new SweepWork<TOptions>(SetUp(table));

    /// <summary>Prepares a cross-validation of the defaults.</summary>
    internal IQueueWork PrepareFolds(IDataView table, int folds, string? samplingKeyColumn, string rows) =>
        new FoldsWork<TOptions>(SetUp(table), table, folds, samplingKeyColumn, rows);

    private SweepSetup<TOptions> SetUp(IDataView input) => new(_space, _factory, _task(_options), _options, _host, input);

    /// <summary>Refuses values that the options themselves refuse, each by itself.</summary>
    private void CheckSpace()
    {
        foreach (var entry in _space.Entries)
            foreach (var value in entry.Extremes)
            {
                var options = new TOptions();
                entry.Option.Set(options, value);
                try
                {
                    (options as MoeTrainerOptions)?.Validate();
                }
                catch (ArgumentOutOfRangeException e) when (e.ParamName == entry.Option.Name)
                {
                    throw new ArgumentException($"The search space has {entry.Option.Name} = {Sweeps.Space.OptionText.Of(value)}: {e.Message}", "space", e);
                }
                catch (ArgumentException)
                {
                    // what contradicts a default may fit another value
                }
            }
    }
}
