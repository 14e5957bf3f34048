using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>Trains a classifier of any kind of rows.</summary>
/// <param name="options">Of its training.</param>
/// <param name="loss">Of its training too: what only classifiers have.</param>
/// <param name="engine">Where it lives.</param>
/// <param name="classifier">The classifier, as it starts.</param>
/// <param name="forward">Runs its network, with noise.</param>
internal sealed class ClassifierTraining<TRow>(
    EncoderOptions options, IClassifierOptions loss, Engine engine, Classifier<TRow> classifier, IClassifierForward<TRow> forward)
{
    /// <summary>Checks rows, and draws validation rows where there are none and options ask for them.</summary>
    /// <exception cref="ArgumentException">There are no rows, or a label or weight is impossible.</exception>
    public static (IReadOnlyList<LabelledRow<TRow>> Training, IReadOnlyList<LabelledRow<TRow>> Validation) Prepare(
        IReadOnlyList<LabelledRow<TRow>> training, IReadOnlyList<LabelledRow<TRow>>? validation, int classes, EncoderOptions options)
    {
        ArgumentNullException.ThrowIfNull(training);
        Check(training, classes, nameof(training));
        if (!training.Any(row => row.Weight > 0))
            throw new ArgumentException("There are no training rows, or all have weight 0.", nameof(training));
        if (validation is not null)
            Check(validation, classes, nameof(validation));
        else if (options.ValidationShare > 0)
            return StratifiedSplit.Of(training, options.ValidationShare, new Random(options.Seed ?? 0));
        return (training, validation ?? []);
    }

    /// <summary>Trains until the last epoch, until it no longer gets better, or until told to stop.</summary>
    /// <param name="optimizer">Takes the steps.</param>
    /// <param name="training">Rows to learn from.</param>
    /// <param name="validation">Rows to choose the best epoch by; may be empty.</param>
    /// <param name="epochs">Passes, where the options leave it open.</param>
    /// <param name="addRows">Takes rows into the digest that tells this training from others.</param>
    /// <param name="observer">Is told how it goes.</param>
    /// <param name="stop">Ends it after the current step.</param>
    /// <exception cref="InvalidOperationException">The loss is no longer finite; the message tells epoch and learning rate.</exception>
    public void Execute(
        Optimizer optimizer,
        IReadOnlyList<LabelledRow<TRow>> training,
        IReadOnlyList<LabelledRow<TRow>> validation,
        int epochs,
        Action<TrainingDigest, IEnumerable<TRow>> addRows,
        ITrainingObserver? observer,
        CancellationToken stop)
    {
        loss.GlobalWorkspace?.Check(classifier.Architecture.Experts, classifier.Architecture.MoeBlocks);
        Parameter[] parameters = [.. classifier.Parameters.All.Select(p => p.Parameter)];
        var objective = new ClassifierObjective<TRow>(loss, engine, classifier, forward, training, validation);
        var checkpoint = options.CheckpointFile is { } file
            ? new TrainingCheckpoint(file, DigestOf(parameters, [training, validation], addRows))
            : null;
        new TrainingLoop(TrainingSchedule.From(options, epochs), objective, optimizer, parameters, observer, checkpoint).Execute(stop);
        ModelOptimizer.Unfreeze(classifier.Parameters);
    }

    private string DigestOf(
        Parameter[] parameters, IReadOnlyList<LabelledRow<TRow>>[] tables, Action<TrainingDigest, IEnumerable<TRow>> addRows)
    {
        using var digest = new TrainingDigest();
        digest.AddOptions(options).AddJson(loss.GlobalWorkspace).AddValues(parameters);
        foreach (var rows in tables)
        {
            addRows(digest, rows.Select(r => r.Input));
            digest.AddJson(rows.Select(r => r.Label)).AddJson(rows.Select(r => r.Weight));
        }

        return digest.ToString();
    }

    private static void Check(IReadOnlyList<LabelledRow<TRow>> rows, int classes, string parameter)
    {
        foreach (var row in rows)
        {
            if ((uint)row.Label >= (uint)classes)
                throw new ArgumentException($"Label {row.Label} is not within the {classes} classes.", parameter);
            if (!(row.Weight >= 0 && float.IsFinite(row.Weight)))
                throw new ArgumentException($"A row has the weight {row.Weight}; weights are finite and at least 0.", parameter);
        }
    }
}
