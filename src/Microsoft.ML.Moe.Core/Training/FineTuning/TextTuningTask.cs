using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>What a training of a classifier of texts with a published encoder works on.</summary>
/// <param name="source">The encoder.</param>
/// <param name="config">Of a mixture, its losses; dropout; seed.</param>
/// <param name="classes">Number of classes.</param>
internal sealed class TextTuningTask(PublishedEncoderSource source, PublishedTextConfig config, int classes) : TuningTask<EncodedText>
{
    /// <summary>Reads texts as the fine-tuned encoder does.</summary>
    public required PublishedTextInput Input { get; init; }

    /// <summary>The rows as they were given, with their texts.</summary>
    public required IReadOnlyList<EncodedText> Sources { get; init; }

    /// <summary>Whether rows are pairs of texts.</summary>
    public required bool IsPair { get; init; }

    /// <inheritdoc/>
    public override long Tokens => All.Sum(row => (long)row.Input.Length);

    /// <summary>A pair's texts are read apart before, which says nothing of both together.</summary>
    public override bool ReadsAsBefore => !IsPair;

    /// <summary>The rows as an input reads them.</summary>
    public IReadOnlyList<EncodedText> RowsFor(Input<EncodedText> input) => ReferenceEquals(input, Input)
        ? [.. All.Select(row => row.Input)]
        : [.. Sources.Select(((TextInput)input).Read)];

    /// <inheritdoc/>
    public override Model<EncodedText> CreateModel(Engine engine, int layers)
    {
        var head = new PooledClassesHeadConfig
        {
            Classes = classes,
            Layers = Math.Min(layers, source.Encoder.Layers),
            Windows = Input.Config.Windows == TextWindows.Whole ? 1 : 2,
            Dropout = config.FineTuning.Dropout,
        };
        var model = source.CreateModel(engine, Input, head, config.Training.Seed, encoder => encoder with
        {
            LoadBalancingCoefficient = config.LoadBalancingCoefficient,
            RouterZLossCoefficient = config.RouterZLossCoefficient,
        });
        if (source.Upcycling is { } upcycling)
            UpcycledRouters.Start(upcycling, model, [.. Training.Select(row => All[row].Input)]);
        return model;
    }

    /// <summary>All rows as the branches read them.</summary>
    /// <param name="states">What the frozen encoder makes of them.</param>
    /// <param name="emphasised">See <see cref="FeatureHead.Emphasised"/>.</param>
    /// <param name="hasLinear">Whether there is a linear branch.</param>
    public BranchExamples BranchesOf(FrozenStates states, int emphasised, bool hasLinear)
    {
        int[] labels = [.. All.Select(row => (int)row.Target)];
        return new BranchExamples(
            new ProbeExamples(states.Features, states.Width, labels, Weights, emphasised),
            hasLinear ? new LinearExamples([.. All.Select(row => row.Input.Linear!)], labels, Weights) : null);
    }
}
