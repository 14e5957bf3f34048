using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>
/// A model with what it lives on, released when the last of its users is done: the transformer that owns it, and each cursor and row
/// that scores with it.
/// </summary>
/// <param name="model">The model.</param>
/// <param name="engine">Where it lives.</param>
/// <param name="owner">A lease on the model whose weights it shares; null for a model that owns the engine.</param>
internal sealed class SharedModel<TModel>(TModel model, Engine engine, IDisposable? owner = null)
{
    private int _users = 1;
    private long _scoringCalls;

    /// <summary>The model.</summary>
    public TModel Model { get; } = model;

    /// <summary>Where it lives.</summary>
    public Engine Engine => engine;

    /// <summary>How often rows, one or a batch, were scored.</summary>
    public long ScoringCalls => Interlocked.Read(ref _scoringCalls);

    /// <summary>Whether the model is still there.</summary>
    public bool IsAlive => Volatile.Read(ref _users) > 0;

    /// <summary>Adds a user, whose <see cref="Release"/> must follow.</summary>
    /// <returns>false when the last user has gone already.</returns>
    public bool TryAcquire()
    {
        for (var users = Volatile.Read(ref _users); users > 0;)
        {
            var before = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (before == users)
                return true;
            users = before;
        }

        return false;
    }

    /// <summary>Ends a use.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _users) == 0)
            (owner ?? engine).Dispose();
    }

    /// <summary>Scores rows with the model.</summary>
    public void Score(Action<TModel> score)
    {
        Interlocked.Increment(ref _scoringCalls);
        score(Model);
    }
}
