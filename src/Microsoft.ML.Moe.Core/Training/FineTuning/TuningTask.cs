using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>What a training with a published encoder works on.</summary>
internal sealed class TuningTask
{
    /// <summary>Reads texts as the fine-tuned encoder does.</summary>
    public required PublishedTextInput Input { get; init; }

    /// <summary>The rows as they were given, with their texts.</summary>
    public required IReadOnlyList<EncodedText> Sources { get; init; }

    /// <summary>All rows, those for validation last, as <see cref="Input"/> reads them.</summary>
    public required Example<EncodedText>[] All { get; init; }

    /// <summary>Weight of each row in the loss, that of its class counted in.</summary>
    public required float[] Weights { get; init; }

    /// <summary>Numbers of the training rows.</summary>
    public required int[] Training { get; init; }

    /// <summary>Numbers of the validation rows.</summary>
    public required int[] Validation { get; init; }

    /// <summary>Whether rows are pairs of texts.</summary>
    public required bool IsPair { get; init; }

    /// <summary>How the encoder is fine-tuned; null for not at all.</summary>
    public required FineTuningPlan? Plan { get; init; }

    /// <summary>Width of token vectors, D.</summary>
    public required int Width { get; init; }

    /// <summary>Tokens of all rows.</summary>
    public long Tokens => All.Sum(row => (long)row.Input.Length);

    /// <summary>The rows as an input reads them.</summary>
    public IReadOnlyList<EncodedText> RowsFor(Input<EncodedText> input) => ReferenceEquals(input, Input)
        ? [.. All.Select(row => row.Input)]
        : [.. Sources.Select(((TextInput)input).Read)];

    /// <summary>A model of the encoder that scores classes by pooled states.</summary>
    /// <param name="source">The encoder.</param>
    /// <param name="engine">Where it shall live.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="layers">How many of the last layers are pooled.</param>
    /// <param name="config">Of a mixture, its losses; dropout.</param>
    public Model<EncodedText> CreateModel(PublishedEncoderSource source, Engine engine, int classes, int layers, PublishedTextConfig config)
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
