using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Heads;

/// <summary>Yes or no: the log-odds of the mean of the members' probabilities. Targets are 0 and 1.</summary>
internal sealed class BinaryHead(ParameterStore store, BinaryHeadConfig config, EncoderConfig encoder) : Head
{
    /// <summary>Probabilities nearer to 0 or 1 count as this: their log-odds stay finite.</summary>
    public const double SmallestProbability = 1e-7;

    private readonly MemberScores _scores = new(store, config.Members, encoder.Width, 1);

    /// <inheritdoc/>
    public override int Outputs => 1;

    /// <inheritdoc/>
    public override (double OfRow, double OfToken) Cost(int width) => (0, width);

    /// <inheritdoc/>
    public override Tensor Forward(Tape tape, EncoderOutput encoded, Batch batch) => _scores.Forward(tape, encoded.Last);

    /// <inheritdoc/>
    public override void Write(Tape tape, Tensor scores, Span<float> outputs)
    {
        var members = config.Members;
        var values = scores.ToArray();
        for (var row = 0; row < values.Length / members; row++)
        {
            var sum = 0.0;
            foreach (var score in values.AsSpan(row * members, members))
                sum += Probability(score);
            outputs[row] = LogOdds(sum / members);
        }
    }

    /// <summary>The log-odds of the mean of the probabilities.</summary>
    public override void Average(IReadOnlyList<float[]> each, Span<float> mean)
    {
        for (var i = 0; i < mean.Length; i++)
            mean[i] = LogOdds(each.Sum(outputs => Probability(outputs[i])) / each.Count);
    }

    /// <summary>The mean of the members' binary cross-entropies.</summary>
    public override Tensor Loss(Tape tape, Tensor scores, Batch batch, Targets targets, TrainingConfig training)
    {
        var smoothed = MemberScores.Repeat(targets.Values, config.Members);
        if (training.LabelSmoothing > 0f)
            foreach (ref var target in smoothed.AsSpan())
                target = target * (1f - training.LabelSmoothing) + training.LabelSmoothing / 2;
        return tape.BinaryCrossEntropy(scores, smoothed, MemberScores.Repeat(targets.Weights, config.Members));
    }

    /// <summary>Log-loss in nats, and whether the sign is right.</summary>
    public override void Measure(ReadOnlySpan<float> outputs, Targets targets, Measurement measurement)
    {
        for (var i = 0; i < targets.Count; i++)
        {
            var score = targets.Classes[i] == 1 ? outputs[i] : -outputs[i];
            var isRight = (outputs[i] > 0f) == (targets.Classes[i] == 1);
            measurement.Add(Math.Log(1 + Math.Exp(-(double)score)), isRight ? 1 : 0, targets.Weights[i]);
        }
    }

    /// <inheritdoc/>
    public override float[] ClassWeights(IEnumerable<float> targets, ClassWeighting weighting) =>
        Training.ClassWeights.For(targets.Select(target => (int)target), 2, weighting);

    private static double Probability(float logOdds) => 1 / (1 + Math.Exp(-(double)logOdds));

    // not a number stays that: Clamp passes it on
    private static float LogOdds(double probability)
    {
        var p = Math.Clamp(probability, SmallestProbability, 1 - SmallestProbability);
        return (float)Math.Log(p / (1 - p));
    }
}

/// <summary>What a model file tells of a <see cref="BinaryHead"/>.</summary>
internal sealed record BinaryHeadConfig : HeadConfig
{
    /// <summary>Members of the ensemble.</summary>
    public required int Members { get; init => field = OptionCheck.Range(value, 1, FeatureInputConfig.MaximumMembers, nameof(Members)); }

    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => new BinaryHead(store, this, encoder);
}
