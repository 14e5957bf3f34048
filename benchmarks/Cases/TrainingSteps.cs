using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>A classifier's training steps on one batch, as its trainer takes them. The engine is disposed with them.</summary>
/// <param name="options">Of the training.</param>
/// <param name="loss">Of the training too: what only classifiers have.</param>
/// <param name="engine">Where the classifier lives.</param>
/// <param name="classifier">The classifier, as it starts.</param>
/// <param name="forward">Runs its network, with noise.</param>
/// <param name="optimizer">Of its parameters.</param>
/// <param name="batch">The rows.</param>
internal sealed class TrainingSteps<TRow>(
    EncoderOptions options,
    IClassifierOptions loss,
    Engine engine,
    Classifier<TRow> classifier,
    IClassifierForward<TRow> forward,
    Optimizer optimizer,
    IReadOnlyList<LabelledRow<TRow>> batch) : IDisposable
{
    private readonly ClassifierObjective<TRow> _objective = new(loss, engine, classifier, forward, batch, []);
    private readonly int[] _examples = [.. Enumerable.Range(0, batch.Count)];

    /// <summary>Rows of a step.</summary>
    public int Rows => batch.Count;

    /// <summary>Packing, forward and backward pass, clipping and the optimiser's step.</summary>
    public void Take()
    {
        _objective.Prepare(_examples, new Random(1));
        var value = _objective.Accumulate(1f);
        optimizer.ClipGradients(options.MaxGradientNorm);
        optimizer.Step(1f);
        value.Read();
    }

    /// <summary>Probabilities of the rows' classes.</summary>
    public float[] Score()
    {
        var probabilities = new float[batch.Count * classifier.ClassCount];
        classifier.Score([.. batch.Select(row => row.Input)], probabilities);
        return probabilities;
    }

    /// <summary>Checks that another model scores the rows alike, which it does before the first step only: dropout differs.</summary>
    public void CheckEqual(TrainingSteps<TRow> other)
    {
        const float tolerance = 1e-3f;
        var (expected, actual) = (Score(), other.Score());
        for (var i = 0; i < expected.Length; i++)
        {
            if (!(Math.Abs(expected[i] - actual[i]) <= tolerance))
                throw new InvalidOperationException($"The engines disagree: probability {i} is {expected[i]} and {actual[i]}.");
        }
    }

    public void Dispose()
    {
        optimizer.Dispose();
        engine.Dispose();
    }
}
