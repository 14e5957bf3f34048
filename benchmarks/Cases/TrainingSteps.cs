using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>A classifier's training steps on one batch, as its trainer takes them. The engine is disposed with them.</summary>
/// <param name="training">How it is trained.</param>
/// <param name="model">The classifier, as it starts.</param>
/// <param name="packer">Packs rows, with noise.</param>
/// <param name="batch">The rows.</param>
internal sealed class TrainingSteps<TRow>(
    TrainingConfig training, Model<TRow> model, Packer<TRow> packer, IReadOnlyList<Example<TRow>> batch) : IDisposable
{
    private readonly Optimizer _optimizer = ModelOptimizer.Create(model.Engine, model.Parameters, training);
    private readonly ModelObjective<TRow> _objective = new(model, packer, batch, [], training);
    private readonly int[] _examples = [.. Enumerable.Range(0, batch.Count)];

    /// <summary>Rows of a step.</summary>
    public int Rows => batch.Count;

    /// <summary>Packing, forward and backward pass, clipping and the optimiser's step.</summary>
    public void Take()
    {
        _objective.Prepare(_examples, new Random(1));
        var value = _objective.Accumulate(1f);
        _optimizer.ClipGradients(training.MaxGradientNorm);
        _optimizer.Step(1f);
        value.Read();
    }

    /// <summary>Probabilities of the rows' classes.</summary>
    public float[] Score()
    {
        var probabilities = new float[batch.Count * model.Outputs];
        model.Score([.. batch.Select(row => row.Input)], probabilities);
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
        _optimizer.Dispose();
        model.Engine.Dispose();
    }
}
