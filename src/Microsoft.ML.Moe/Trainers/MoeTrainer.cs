using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>What all trainers of this library have in common: they check and copy their options, and train on a table.</summary>
/// <typeparam name="TOptions">Columns, architecture and training.</typeparam>
/// <typeparam name="TTransformer">Scores with the model.</typeparam>
public abstract class MoeTrainer<TOptions, TTransformer> : IEstimator<TTransformer>
    where TOptions : MoeTrainerOptions
    where TTransformer : MoeTransformer
{
    private readonly IHost _host;

    private protected MoeTrainer(IHostEnvironment environment, TOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Settings = (TOptions)options.Clone();
        Settings.Validate();
        Settings.Seed ??= Environments.SeedOf(environment);
        _host = environment.Register(GetType().Name);
    }

    /// <summary>The options, checked; a copy that changes of the original do not reach.</summary>
    private protected TOptions Settings { get; }

    /// <summary>Trains a model.</summary>
    /// <param name="input">Training rows; read once.</param>
    /// <returns>The transformer that scores with it. Dispose it to release the model's memory early.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    /// <exception cref="InvalidOperationException">
    /// The table has no rows to learn from, a row cannot be read (the message names it), the loss became infinite (the message tells epoch
    /// and learning rate), an initial model is no model to start from, or <see cref="MoeTrainerOptions.Device"/> cannot be used.
    /// </exception>
    /// <exception cref="FileNotFoundException">An initial model is a file that is not there.</exception>
    /// <exception cref="InvalidDataException">
    /// <see cref="MoeTrainerOptions.CheckpointFile"/> is damaged or belongs to another training; the message says what to do.
    /// </exception>
    /// <exception cref="IOException"><see cref="MoeTrainerOptions.CheckpointFile"/> cannot be written.</exception>
    /// <exception cref="OperationCanceledException">
    /// Execution was cancelled on the <see cref="MLContext"/>, or <see cref="MoeTrainerOptions.StopToken"/> before the first step.
    /// </exception>
    public TTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        TrainingCheckpoint.Try(Settings.CheckpointFile, Settings.DataParallel);
        if (Settings.DataParallel is { } parallel)
            parallel.HasStopped = false;
        using var channel = _host.Start("Training");
        foreach (var (option, reason) in Settings.WithoutEffect())
            channel.Warning(MessageSensitivity.None, $"{option} has no effect: {reason}.");
        return Fit(input, _host, new FitRun(GetType().Name, _host, channel, Settings));
    }

    /// <summary>The columns that a table of this shape will have after scoring.</summary>
    /// <param name="inputSchema">Shape of the table.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return Promise(new NamedShape(inputSchema, Settings.TrainingSet));
    }

    /// <summary>Reads the table, trains, and makes the transformer.</summary>
    private protected abstract TTransformer Fit(IDataView input, IHostEnvironment environment, FitRun run);

    /// <summary>See <see cref="GetOutputSchema"/>.</summary>
    private protected abstract SchemaShape Promise(NamedShape inputSchema);

    /// <summary>What training starts from; null for random weights. Logs what it is.</summary>
    private protected static StartingPoint? FindStart(
        MoeClassifierOptions options, LabelClasses classes, TextTokenizer? tokenizer, IHostEnvironment environment, IChannel channel)
    {
        var start = options.InitialModel?.Use(environment, model => StartingPoint.Of(model, classes.Values, classes.Count, tokenizer));
        if (start is null)
        {
            if (options.FreezeRouter)
                channel.Warning(
                    MessageSensitivity.None,
                    $"{nameof(options.FreezeRouter)} is set without {nameof(options.InitialModel)}, so the routers keep their random initial weights.");
            return null;
        }

        channel.Info(MessageSensitivity.None, start.Description);
        if (start.Experts == 0 && options.Columns.Uncertainty is not null)
            throw new InvalidOperationException(
                $"{nameof(options.RouterEntropyColumnName)} and {nameof(options.UncertainColumnName)} need MoE layers, and "
                + $"{nameof(options.InitialModel)} has none.");
        return start;
    }
}
