using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.TextClassification;

/// <summary>
/// One user's hold on a <see cref="SharedClassifier"/>. Has a finalizer, because a <c>PredictionEngine</c> disposes its transformer
/// but never the row that it reads the prediction from.
/// </summary>
internal sealed class ClassifierLease : IDisposable
{
    private readonly SharedClassifier _shared;
    private int _released;

    /// <summary>Takes a hold that the caller has acquired.</summary>
    public ClassifierLease(SharedClassifier shared) => _shared = shared;

    ~ClassifierLease() => Release();

    /// <summary>Number of classes, C.</summary>
    public int ClassCount => _shared.Classifier.ClassCount;

    /// <summary>Encodes texts for <see cref="Score"/>.</summary>
    public TextInput Input => _shared.Classifier.Input;

    /// <summary>Class probabilities of texts, rows × C.</summary>
    /// <exception cref="ObjectDisposedException">The lease has ended.</exception>
    public void Score(IReadOnlyList<EncodedText> rows, Span<float> probabilities)
    {
        ObjectDisposedException.ThrowIf(_released != 0, this);
        _shared.Score(rows, probabilities);
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
