using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.ML.Moe.Cluster;

/// <summary>Makes silos of Microsoft Orleans take part in sweeps.</summary>
public static class MoeClusterHosting
{
    /// <summary>
    /// Adds sweeps to a silo: it may coordinate them, and its workers train trials of them. All silos of a cluster add the same sweeps. How
    /// silos find each other is up to the application; no storage of grains is needed, as the journals hold what there is to know.
    /// </summary>
    /// <param name="silo">The silo.</param>
    /// <param name="add">Adds the sweeps.</param>
    /// <param name="configure">Changes options; null for the defaults.</param>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// builder.UseOrleans(silo => silo
    ///     .UseRedisClustering("redis:6379")
    ///     .AddMoeSweeps(sweeps => sweeps.Add(
    ///         "houses",
    ///         ml => ml.Data.LoadFromTextFile<House>("/shared/houses.csv", ',', hasHeader: true),
    ///         ml => ml.Regression.Trainers.Sweep(
    ///             SearchSpaces.RegressionTables,
    ///             (own, o) => own.Regression.Trainers.MoeRegressor(o),
    ///             new SweepOptions { JournalFile = "/shared/houses.jsonl" }))));
    /// ]]></code>
    /// </example>
    public static ISiloBuilder AddMoeSweeps(
        this ISiloBuilder silo, Action<MoeSweepCollection> add, Action<MoeClusterOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(silo);
        ArgumentNullException.ThrowIfNull(add);
        add(new MoeSweepCollection(silo.Services));
        silo.Services.AddOptions<MoeClusterOptions>()
            .Configure(options => configure?.Invoke(options))
            .Validate(options =>
            {
                options.Validate();
                return true;
            })
            .ValidateOnStart();
        silo.Services.TryAddSingleton<WorkRegistry>();
        silo.Services.AddHostedService<WorkerService>();
        return silo;
    }
}

/// <summary>Sweeps by their names.</summary>
public sealed class MoeSweepCollection
{
    private readonly IServiceCollection _services;

    internal MoeSweepCollection(IServiceCollection services) => _services = services;

    /// <summary>Adds a sweep.</summary>
    /// <typeparam name="TOptions">Class of the options that it changes.</typeparam>
    /// <param name="name">Its name, by which it is started.</param>
    /// <param name="table">
    /// Reads the table, on each machine by itself: all must read the same rows in the same order, which is checked by a digest.
    /// </param>
    /// <param name="sweep">
    /// Makes the sweep, as on one machine; <see cref="SweepOptions.JournalFile"/> must lie in a folder that all machines see.
    /// <see cref="SweepOptions.Workers"/> is without effect. Without a <see cref="SweepOptions.Seed"/> it is 0.
    /// </param>
    /// <returns>The same collection.</returns>
    public MoeSweepCollection Add<TOptions>(
        string name, Func<MLContext, IDataView> table, Func<MLContext, SweepEstimator<TOptions>> sweep)
        where TOptions : class, new()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(sweep);
        Add(new WorkDefinition(name, table, sweep));
        return this;
    }

    /// <summary>Adds a cross-validation, whose folds are fitted side by side.</summary>
    /// <typeparam name="TOptions">Class of the options.</typeparam>
    /// <param name="name">Its name, by which it is started.</param>
    /// <param name="table">Reads the table, on each machine by itself, as for a sweep.</param>
    /// <param name="sweep">
    /// Makes a sweep, whose defaults are fitted without each fold and measured there: fix options that are not to be the defaults. Its columns,
    /// metric, seed and journal count.
    /// </param>
    /// <param name="folds">How many folds. Within [2, 1000].</param>
    /// <param name="samplingKeyColumnName">Column whose equal values stay in the same fold; null for none.</param>
    /// <returns>The same collection.</returns>
    public MoeSweepCollection AddCrossValidation<TOptions>(
        string name,
        Func<MLContext, IDataView> table,
        Func<MLContext, SweepEstimator<TOptions>> sweep,
        int folds = 5,
        string? samplingKeyColumnName = null)
        where TOptions : class, new()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(sweep);
        ArgumentOutOfRangeException.ThrowIfLessThan(folds, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(folds, 1000);
        Add(new WorkDefinition(name, table, ml => new FoldsSource<TOptions>(sweep(ml), folds, samplingKeyColumnName)));
        return this;
    }

    /// <summary>Adds the scoring of a table, whose rows are divided into shards.</summary>
    /// <param name="name">Its name, by which it is started.</param>
    /// <param name="table">Reads the table, on each machine by itself, as for a sweep.</param>
    /// <param name="modelFile">Zip of the model, which all machines see.</param>
    /// <param name="journalFile">
    /// The journal, in a folder that all machines see. The scored rows are written beside it, in <c>FILE.files</c>.
    /// </param>
    /// <param name="shards">How many shards. Within [1, 100000].</param>
    /// <returns>The same collection.</returns>
    public MoeSweepCollection AddScoring(
        string name, Func<MLContext, IDataView> table, string modelFile, string journalFile, int shards = 64)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(table);
        ArgumentException.ThrowIfNullOrWhiteSpace(modelFile);
        ArgumentException.ThrowIfNullOrWhiteSpace(journalFile);
        ArgumentOutOfRangeException.ThrowIfLessThan(shards, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(shards, 100_000);
        Add(new WorkDefinition(name, table, ml => new ScoringSource(ml, modelFile, journalFile, shards)));
        return this;
    }

    private void Add(WorkDefinition definition)
    {
        if (_services.Any(service => service.ImplementationInstance is WorkDefinition other && other.Name == definition.Name))
            throw new ArgumentException($"There is a sweep '{definition.Name}' already.", nameof(definition));
        _services.AddSingleton(definition);
    }
}
