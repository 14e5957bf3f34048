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

    /// <summary>Whether it reads <see cref="EncoderOutput.RouterLogits"/>.</summary>
    public virtual bool ReadsRouters => false;

    /// <summary>Multiply-adds of a row, and of each of its tokens.</summary>
    /// <param name="width">Width of token vectors, D.</param>
    public abstract (double OfRow, double OfToken) Cost(int width);

    /// <summary>Scores of a batch.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="encoded">The encoder's states, of T tokens.</param>
    /// <param name="batch">B rows.</param>
    public abstract Tensor Forward(Tape tape, EncoderOutput encoded, Batch batch);

    /// <summary>Writes what the model gives for each row of a batch, <see cref="Outputs"/> numbers each.</summary>
    public abstract void Write(Tape tape, Tensor scores, Span<float> outputs);

    /// <summary>The mean of what several networks with such a head give.</summary>
    /// <param name="each">The outputs of each network, of equal length.</param>
    /// <param name="mean">Receives as many.</param>
    public virtual void Average(IReadOnlyList<float[]> each, Span<float> mean)
    {
        for (var i = 0; i < mean.Length; i++)
        {
            var sum = 0.0;
            foreach (var outputs in each)
                sum += outputs[i];
            mean[i] = (float)(sum / each.Count);
        }
    }

    /// <summary>The loss of a batch, without the layers' own losses.</summary>
    public abstract Tensor Loss(Tape tape, Tensor scores, Batch batch, Targets targets, TrainingConfig training);

    /// <summary>Adds rows to a measurement by what the model gives for them.</summary>
    /// <param name="outputs"><see cref="Outputs"/> numbers for each row.</param>
    /// <param name="targets">Targets of the rows.</param>
    /// <param name="measurement">Takes them.</param>
    public virtual void Measure(ReadOnlySpan<float> outputs, Targets targets, Measurement measurement) =>
        throw new InvalidOperationException("This model gives nothing that could be compared with a target.");

    /// <summary>Adds a batch to a measurement, for heads that give nothing for a row.</summary>
    public virtual void Measure(Tape tape, Tensor scores, Batch batch, Targets targets, Measurement measurement) =>
        throw new InvalidOperationException("This model is measured row by row.");

    /// <summary>Weights in the loss by target; null weights all rows alike.</summary>
    /// <param name="targets">Targets of all training rows.</param>
    /// <param name="weighting">The rule.</param>
    public virtual float[]? ClassWeights(IEnumerable<float> targets, ClassWeighting weighting) => null;
}

/// <summary>What a model file tells of a <see cref="Head"/>.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(ClassesHeadConfig), "classes")]
[JsonDerivedType(typeof(PooledClassesHeadConfig), "pooledClasses")]
[JsonDerivedType(typeof(MemberClassesHeadConfig), "memberClasses")]
[JsonDerivedType(typeof(BinaryHeadConfig), "binary")]
[JsonDerivedType(typeof(ValueHeadConfig), "value")]
[JsonDerivedType(typeof(PairClassesHeadConfig), "pairClasses")]
[JsonDerivedType(typeof(VectorHeadConfig), "vector")]
[JsonDerivedType(typeof(PublishedClassesHeadConfig), "publishedClasses")]
[JsonDerivedType(typeof(EmbeddingHeadConfig), "embedding")]
[JsonDerivedType(typeof(NextTokenHeadConfig), "nextToken")]
[JsonDerivedType(typeof(DecoderHeadConfig), "decoder")]
internal abstract record HeadConfig
{
    /// <summary>The head.</summary>
    public abstract Head CreateHead(ParameterStore store, EncoderConfig encoder);

    /// <summary>Numbers of the head's own blocks with a MoE layer, counted after the encoder's.</summary>
    public virtual IReadOnlyList<int> MoeBlocks(EncoderConfig encoder) => [];
}
