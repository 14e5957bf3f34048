using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Heads;

/// <summary>One of C classes, however it is scored: probabilities, cross-entropy, log-loss and accuracy.</summary>
/// <param name="classes">Number of classes, C.</param>
internal abstract class ClassifierHead(int classes) : Head
{
    /// <summary>Name of the matrix whose last dimension is the classes.</summary>
    protected const string WeightName = Name + ".weight";

    /// <summary>Name of the classes' bias.</summary>
    protected const string BiasName = Name + ".bias";

    /// <summary>Name of the layer that scores classes, in every classifier.</summary>
    protected const string Name = "head";

    /// <inheritdoc/>
    public override int Outputs => classes;

    /// <summary>Whether a parameter's last dimension is the classes.</summary>
    /// <param name="parameter">Name of the parameter.</param>
    public static bool IsOfClasses(string parameter) => parameter is WeightName or BiasName;

    /// <summary>The most probable class; −1 where nothing is a number.</summary>
    public static int MostProbable(ReadOnlySpan<float> probabilities)
    {
        // what is not a number is never more
        var (best, largest) = (-1, -1f);
        for (var i = 0; i < probabilities.Length; i++)
            if (probabilities[i] > largest)
                (best, largest) = (i, probabilities[i]);
        return best;
    }

    /// <inheritdoc/>
    public override void Write(Tape tape, Tensor scores, Span<float> outputs) => tape.Softmax(scores).CopyTo(outputs);

    /// <summary>Cross-entropy.</summary>
    public override Tensor Loss(Tape tape, Tensor scores, Batch batch, Targets targets, TrainingConfig training) =>
        tape.CrossEntropy(scores, targets.Classes, targets.Weights, training.LabelSmoothing);

    /// <summary>Negative log-likelihood in nats, and whether the most probable class is the target.</summary>
    public override void Measure(ReadOnlySpan<float> outputs, Targets targets, Measurement measurement)
    {
        for (var i = 0; i < targets.Count; i++)
            measurement.AddProbability(outputs.Slice(i * classes, classes), targets.Classes[i], targets.Weights[i]);
    }

    /// <inheritdoc/>
    public override float[] ClassWeights(IEnumerable<float> targets, ClassWeighting weighting) =>
        Training.ClassWeights.For(targets.Select(target => (int)target), classes, weighting);
}

/// <summary>What a model file tells of a <see cref="ClassifierHead"/>.</summary>
internal abstract record ClassifierHeadConfig : HeadConfig
{
    /// <summary>Most classes that a classifier can have.</summary>
    public const int MaximumClasses = 100_000;

    /// <summary>Number of classes, C.</summary>
    public required int Classes { get; init => field = OptionCheck.Range(value, 1, MaximumClasses, nameof(Classes)); }
}
