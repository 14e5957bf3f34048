using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Heads;

/// <summary>One of C classes, scored by each member of an ensemble: the mean of their probabilities, at a temperature.</summary>
internal sealed class MemberClassesHead(ParameterStore store, MemberClassesHeadConfig config, EncoderConfig encoder)
    : ClassifierHead(config.Classes)
{
    private readonly MemberScores _scores = new(store, config.Members, encoder.Width, config.Classes);

    /// <inheritdoc/>
    public override (double OfRow, double OfToken) Cost(int width) => (0, (double)width * Outputs);

    /// <inheritdoc/>
    public override Tensor Forward(Tape tape, EncoderOutput encoded, Batch batch) => _scores.Forward(tape, encoded.Last);

    /// <inheritdoc/>
    public override void Write(Tape tape, Tensor scores, Span<float> outputs)
    {
        var (members, classes) = (config.Members, Outputs);
        var rows = scores.Shape[0] / members;
        var probabilities = new float[scores.Length];
        tape.Softmax(scores).CopyTo(probabilities);
        outputs[..(rows * classes)].Clear();
        for (var token = 0; token < rows * members; token++)
        {
            var row = outputs.Slice(token / members * classes, classes);
            for (var c = 0; c < classes; c++)
                row[c] += probabilities[token * classes + c] / members;
        }

        if (config.Temperature != 1f)
            Temperature.Apply(outputs[..(rows * classes)], classes, config.Temperature);
    }

    /// <summary>The mean of the members' cross-entropies.</summary>
    public override Tensor Loss(Tape tape, Tensor scores, Batch batch, Targets targets, TrainingConfig training) => tape.CrossEntropy(
        scores,
        MemberScores.Repeat(targets.Classes, config.Members),
        MemberScores.Repeat(targets.Weights, config.Members),
        training.LabelSmoothing);
}

/// <summary>What a model file tells of a <see cref="MemberClassesHead"/>.</summary>
internal sealed record MemberClassesHeadConfig : ClassifierHeadConfig
{
    /// <summary>Members of the ensemble.</summary>
    public required int Members { get; init => field = OptionCheck.Range(value, 1, FeatureInputConfig.MaximumMembers, nameof(Members)); }

    /// <summary>Temperature of the probabilities, fitted on validation rows: p^(1/T), normalised.</summary>
    public float Temperature { get; init => field = OptionCheck.Positive(value, nameof(Temperature)); } = 1f;

    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => new MemberClassesHead(store, this, encoder);
}
