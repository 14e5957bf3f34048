using System.Globalization;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>
/// The models of the best trials: in the journal's folder if there is one, in memory if not. All others are disposed as soon as they have lost.
/// </summary>
/// <param name="most">Number of models that are kept.</param>
/// <param name="folder">The folder; null keeps them in memory.</param>
/// <param name="ml">Saves and loads them.</param>
/// <param name="schema">Schema of what they read.</param>
internal sealed class KeptModels(int most, string? folder, MLContext ml, DataViewSchema schema) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly SortedSet<(double Loss, int Trial)> _best = [];
    private readonly Dictionary<int, ITransformer> _models = [];

    /// <summary>The kept trials, best first.</summary>
    public IReadOnlyList<int> Trials
    {
        get
        {
            lock (_lock)
                return [.. _best.Select(kept => kept.Trial)];
        }
    }

    /// <summary>Takes up the models of trials that had ended.</summary>
    /// <exception cref="InvalidDataException">One of the best is not there.</exception>
    public void Resume(IEnumerable<(int Trial, double Loss)> ended)
    {
        lock (_lock)
        {
            _best.UnionWith(ended.Select(trial => (trial.Loss, trial.Trial)));
            Shrink();
            foreach (var (_, trial) in _best)
                if (!File.Exists(PathOf(trial)))
                    throw new InvalidDataException(
                        $"The sweep cannot be taken up: the model of trial {trial} is not in {folder}. Restore the folder, or remove the journal.");
        }
    }

    /// <summary>Takes over the model of a trial that is about to end: it is kept, or disposed at once.</summary>
    public void Offer(int trial, double loss, ITransformer model)
    {
        lock (_lock)
        {
            if (_best.Count(kept => kept.CompareTo((loss, trial)) < 0) >= most)
            {
                Dispose(model);
                return;
            }

            if (folder is null)
            {
                _models[trial] = model;
                return;
            }
        }

        using (model as IDisposable)
            ml.Model.SaveAtomically(model, schema, PathOf(trial));
    }

    /// <summary>A trial has ended, in the journal too: those that it has overtaken are dropped.</summary>
    public void Commit(int trial, double loss)
    {
        lock (_lock)
        {
            _best.RemoveWhere(kept => kept.Trial == trial);
            _best.Add((loss, trial));
            Shrink();
        }
    }

    /// <summary>Hands a model out.</summary>
    public ITransformer Take(int trial)
    {
        lock (_lock)
        {
            if (_models.Remove(trial, out var model))
                return model;
            return ml.Model.Load(PathOf(trial), out _);
        }
    }

    /// <summary>Disposes those that are in memory.</summary>
    public void Dispose()
    {
        foreach (var model in _models.Values)
            Dispose(model);
        _models.Clear();
    }

    private void Shrink()
    {
        while (_best.Count > most)
        {
            var worst = _best.Max.Trial;
            _best.Remove(_best.Max);
            if (_models.Remove(worst, out var model))
                Dispose(model);
            if (folder is not null)
                File.Delete(PathOf(worst));
        }
    }

    private string PathOf(int trial) => Path.Combine(folder ?? "", string.Create(CultureInfo.InvariantCulture, $"trial-{trial:0000}.zip"));

    private static void Dispose(ITransformer model) => (model as IDisposable)?.Dispose();
}
