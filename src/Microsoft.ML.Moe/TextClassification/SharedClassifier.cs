using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.TextClassification;

/// <summary>
/// A classifier with what it lives on, released when the last of its users is done: the transformer that owns it, and each cursor and
/// row that scores with it.
/// </summary>
/// <param name="classifier">The classifier.</param>
/// <param name="home">Its engine, or a lease on the classifier whose weights it shares.</param>
internal sealed class SharedClassifier(TextClassifier classifier, IDisposable home)
{
    private int _users = 1;
    private long _scoringCalls;

    /// <summary>The classifier.</summary>
    public TextClassifier Classifier { get; } = classifier;

    /// <summary>How often rows, one or a batch, were scored.</summary>
    public long ScoringCalls => Interlocked.Read(ref _scoringCalls);

    /// <summary>Whether the classifier is still there.</summary>
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
            home.Dispose();
    }

    /// <summary>Class probabilities of texts.</summary>
    public void Score(IReadOnlyList<EncodedText> rows, Span<float> probabilities)
    {
        Interlocked.Increment(ref _scoringCalls);
        Classifier.Score(rows, probabilities);
    }
}
