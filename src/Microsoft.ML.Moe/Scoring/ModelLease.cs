using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>
/// One user's hold on a <see cref="SharedModel{TModel}"/>. Has a finalizer, because a <c>PredictionEngine</c> disposes its
/// transformer but never the row that it reads the prediction from.
/// </summary>
internal sealed class ModelLease<TModel> : IDisposable
{
    private readonly SharedModel<TModel> _shared;
    private int _released;

    /// <summary>Takes a hold that the caller has acquired.</summary>
    public ModelLease(SharedModel<TModel> shared) => _shared = shared;

    ~ModelLease() => Release();

    /// <summary>The model; it goes when the lease and all others have ended, so keep the lease while you use it.</summary>
    public TModel Model => _shared.Model;

    /// <summary>Where the model lives, as long as it does.</summary>
    public Engine Engine => _shared.Engine;

    /// <summary>Scores rows with the model.</summary>
    /// <exception cref="ObjectDisposedException">The lease has ended.</exception>
    public void Score(Action<TModel> score)
    {
        ObjectDisposedException.ThrowIf(_released != 0, this);
        _shared.Score(score);
        GC.KeepAlive(this);
    }

    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    private void Release()
    {
        if (Interlocked.Exchange(ref _released, 1) == 0)
            _shared.Release();
    }
}
