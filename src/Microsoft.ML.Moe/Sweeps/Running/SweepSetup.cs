using System.Text.Json.Nodes;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Moe.Sweeps.Space;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>What a sweep over a table consists of, before anything is trained.</summary>
internal sealed class SweepSetup<TOptions>
    where TOptions : class, new()
{
    /// <exception cref="ArgumentException">
    /// A column is missing or of the wrong type, or the defaults are impossible; the message says which.
    /// </exception>
    public SweepSetup(
        SearchSpace<TOptions> space,
        Func<MLContext, TOptions, IEstimator<ITransformer>> factory,
        SweepTask task,
        SweepOptions options,
        IHost host,
        IDataView input)
    {
        (Space, Task, Options, Host, Schema) = (space, task, options, host, input.Schema);
        Seed = options.Seed ?? 0;
        Ml = Environments.Beside(host, Seed);
        Rows = SweepRows.Of(input, options, Seed);
        Fit = new TrialFit<TOptions>(factory, Rows, seed => Environments.Beside(host, seed), task);
        Proposals = new Proposals<TOptions>(space, Seed);
        // what is wrong with the table's columns is told before anything is trained
        var shape = Fit.Create(OptionsOf(0), Seed).GetOutputSchema(EstimatorSteps.ShapeOf(input.Schema));
        task.CheckColumns(shape);
        if (options.EnsembleSize > 1)
            task.CheckAverage(shape);
        var rows = options.JournalFile is null ? "" : Rows.Digest(options.LabelColumnName);
        Sweep = new SweepLine(SweepLine.CurrentVersion, Seed, task.Metric, space.ToString(), rows);
    }

    public SearchSpace<TOptions> Space { get; }

    public SweepTask Task { get; }

    public SweepOptions Options { get; }

    public IHost Host { get; }

    /// <summary>Schema of what the models read.</summary>
    public DataViewSchema Schema { get; }

    /// <summary>Of proposals, drawn rows and trials.</summary>
    public int Seed { get; }

    /// <summary>Makes ML.NET's transforms, saves and loads.</summary>
    public MLContext Ml { get; }

    public SweepRows Rows { get; }

    public TrialFit<TOptions> Fit { get; }

    public Proposals<TOptions> Proposals { get; }

    /// <summary>Which sweep it is.</summary>
    public SweepLine Sweep { get; }

    /// <summary>Options of a trial.</summary>
    public TOptions OptionsOf(int trial) => Space.Create(Proposals[trial]!);

    /// <summary>What is told of a trial's options; null where the space has no more.</summary>
    public IReadOnlyDictionary<string, JsonNode?>? Told(int trial) => Proposals[trial] is { } values
        ? Space.ValuesOf(values).ToDictionary(value => value.Key, value => OptionText.ToJson(value.Value))
        : null;
}
