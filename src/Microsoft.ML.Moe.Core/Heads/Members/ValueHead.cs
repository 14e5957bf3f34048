using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Heads;

/// <summary>
/// A number: the mean of the members' and its standard deviation over them, in the units of the target, which is learned with mean 0 and
/// deviation 1.
/// </summary>
internal sealed class ValueHead(ParameterStore store, ValueHeadConfig config, EncoderConfig encoder) : Head
{
    private readonly MemberScores _scores = new(store, config.Members, encoder.Width, 1);

    /// <summary>The value, then the members' spread.</summary>
    public override int Outputs => 2;

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
            var own = values.AsSpan(row * members, members);
            var (sum, squares) = (0.0, 0.0);
            foreach (var value in own)
                sum += value;
            var mean = sum / members;
            foreach (var value in own)
                squares += (value - mean) * (value - mean);
            outputs[2 * row] = (float)(config.Mean + config.Deviation * mean);
            outputs[2 * row + 1] = (float)(config.Deviation * Math.Sqrt(squares / members));
        }
    }

    /// <summary>The mean of the values, and the spread of all members of all networks.</summary>
    public override void Average(IReadOnlyList<float[]> each, Span<float> mean)
    {
        for (var i = 0; i < mean.Length; i += 2)
        {
            var (value, squares) = (each.Average(outputs => (double)outputs[i]), 0.0);
            foreach (var outputs in each)
                squares += (outputs[i] - value) * (outputs[i] - value) + (double)outputs[i + 1] * outputs[i + 1];
            (mean[i], mean[i + 1]) = ((float)value, (float)Math.Sqrt(squares / each.Count));
        }
    }

    /// <summary>The mean of the members' squared errors.</summary>
    public override Tensor Loss(Tape tape, Tensor scores, Batch batch, Targets targets, TrainingConfig training)
    {
        var standard = MemberScores.Repeat(targets.Values, config.Members);
        foreach (ref var target in standard.AsSpan())
            target = (float)((target - config.Mean) / config.Deviation);
        return tape.SquaredError(scores, standard, MemberScores.Repeat(targets.Weights, config.Members));
    }

    /// <summary>Squared error of the target with deviation 1, and the absolute error in its units.</summary>
    public override void Measure(ReadOnlySpan<float> outputs, Targets targets, Measurement measurement)
    {
        for (var i = 0; i < targets.Count; i++)
        {
            var error = (double)outputs[2 * i] - targets.Values[i];
            measurement.Add(error / config.Deviation * (error / config.Deviation), Math.Abs(error), targets.Weights[i]);
        }
    }
}

/// <summary>What a model file tells of a <see cref="ValueHead"/>.</summary>
internal sealed record ValueHeadConfig : HeadConfig
{
    /// <summary>Members of the ensemble.</summary>
    public required int Members { get; init => field = OptionCheck.Range(value, 1, FeatureInputConfig.MaximumMembers, nameof(Members)); }

    /// <summary>Mean of the training targets.</summary>
    public required double Mean { get; init => field = OptionCheck.Range(value, -double.MaxValue, double.MaxValue, nameof(Mean)); }

    /// <summary>Standard deviation of the training targets, over 0.</summary>
    public required double Deviation { get; init => field = OptionCheck.Range(value, double.Epsilon, double.MaxValue, nameof(Deviation)); }

    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => new ValueHead(store, this, encoder);
}
