using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Heads;

/// <summary>What a model tells of a row: scores from token vectors, the loss they are trained on, and how good they are.</summary>
internal abstract class Head
{
    /// <summary>Numbers that the model gives for a row.</summary>
    public abstract int Outputs { get; }

    /// <summary>Binary logarithm of the wide table's rows; 0 for none.</summary>
    public virtual int WideBits => 0;

    /// <summary>Multiply-adds of a row, and of each of its tokens.</summary>
    /// <param name="width">Width of token vectors, D.</param>
    public abstract (double OfRow, double OfToken) Cost(int width);

    /// <summary>Scores of a batch.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="xTD">[T, D] token vectors.</param>
    /// <param name="batch">B rows.</param>
    public abstract HeadScores Forward(Tape tape, Tensor xTD, Batch batch);

    /// <summary>Writes what the model gives for each row of a batch, <see cref="Outputs"/> numbers each.</summary>
    public abstract void Write(Tape tape, HeadScores scores, Span<float> outputs);

    /// <summary>The loss of a batch, without the layers' own losses.</summary>
    /// <returns>The loss to descend, and the part of it to report.</returns>
    public abstract (Tensor Total, Tensor Reported) Loss(
        Tape tape, HeadScores scores, Batch batch, Targets targets, TrainingConfig training);

    /// <summary>Adds a batch to a measurement.</summary>
    public abstract void Measure(Tape tape, HeadScores scores, Batch batch, Targets targets, Measurement measurement);

    /// <summary>Weights in the loss by target; null weights all rows alike.</summary>
    /// <param name="targets">Targets of all training rows.</param>
    /// <param name="weighting">The rule.</param>
    public virtual float[]? ClassWeights(IEnumerable<float> targets, ClassWeighting weighting) => null;
}

/// <summary>What a model file tells of a <see cref="Head"/>.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(ClassesHeadConfig), "classes")]
[JsonDerivedType(typeof(VectorHeadConfig), "vector")]
internal abstract record HeadConfig
{
    /// <summary>The head.</summary>
    public abstract Head CreateHead(ParameterStore store, EncoderConfig encoder);
}

/// <summary>What a head's layers give for a batch.</summary>
/// <param name="Scores">The scores.</param>
/// <param name="Deep">The encoder's part; null where it is all of them.</param>
/// <param name="Wide">The wide branch's part; null without one.</param>
internal readonly record struct HeadScores(Tensor Scores, Tensor? Deep = null, Tensor? Wide = null);
