using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// A linear model beside a text classifier's encoder. The two are weighed, not added 1:1: the probabilities are
/// softmax(a·log p_encoder + b·log p_linear), with a and b fitted on rows that neither has learned from (<see cref="BranchWeights"/>).
/// </summary>
internal sealed class LinearBranch : Branch<EncodedText>
{
    private const float SmallestProbability = 1e-30f;
    private const string WeightName = "linear.weight";
    private const string IdsName = "linear.features";
    private const string IdfName = "linear.idf";
    private const string CountsName = "linear.counts";

    /// <summary>The table of models of version 2 and before.</summary>
    private const string HashedName = "wide.weight";

    /// <summary>A feature's hash is saved as two numbers of so many bits, which single precision holds exactly.</summary>
    private const int HalfBits = LinearRow.HashBits / 2;

    private readonly TextInput _input;

    /// <summary>A branch.</summary>
    /// <param name="input">Reads features of texts.</param>
    /// <param name="model">The linear model.</param>
    /// <param name="weights">a and b: how much the encoder and the linear model count.</param>
    public LinearBranch(TextInput input, LinearModel model, (float Encoder, float Linear) weights) =>
        (_input, Model, Weights) = (input, model, weights);

    /// <summary>The linear model.</summary>
    public LinearModel Model { get; }

    /// <summary>a and b: how much the encoder and the linear model count.</summary>
    public (float Encoder, float Linear) Weights { get; }

    /// <inheritdoc/>
    public override LinearBranchConfig Config => new()
    {
        EncoderWeight = Weights.Encoder,
        LinearWeight = Weights.Linear,
        Features = Model.Features.Index.Count,
        Counts = Model.Features.CountMeans.Length,
        HashedBits = Model.Features.Index.HashedBits,
    };

    /// <summary>The natural logarithm of a probability; of one that single precision takes for 0, that of 10⁻³⁰.</summary>
    public static float Logarithm(float probability) => MathF.Log(MathF.Max(probability, SmallestProbability));

    /// <inheritdoc/>
    public override void Combine(IReadOnlyList<EncodedText> rows, Span<float> outputs)
    {
        var classes = Model.Classes;
        var logarithms = classes <= 1024 ? stackalloc float[classes] : new float[classes];
        for (var i = 0; i < rows.Count; i++)
        {
            var probabilities = outputs.Slice(i * classes, classes);
            Model.ScoreLogarithms(_input.LinearRowOf(rows[i]), logarithms);
            for (var c = 0; c < classes; c++)
                probabilities[c] =
                    Weights.Encoder * Logarithm(probabilities[c]) + Weights.Linear * logarithms[c];
            LinearModel.LogSoftmax(probabilities);
            foreach (ref var value in probabilities)
                value = MathF.Exp(value);
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<NamedValues> Export()
    {
        var (features, classes) = (Model.Features, Model.Classes);
        var columns = features.Index.HashedBits > 0 ? features.Index.Count : features.Columns;
        var weights = new float[columns * classes];
        var stride = Gather.Stride(classes);
        for (var column = 0; column < columns; column++)
            Model.Weights.Slice(column * stride, classes).CopyTo(weights.AsSpan(column * classes));
        if (features.Index.HashedBits > 0)
            return [new NamedValues(HashedName, [columns, classes], weights)];
        var halves = new float[2 * features.Index.Count];
        for (var i = 0; i < features.Index.Count; i++)
        {
            var id = features.Index.Ids[i];
            (halves[2 * i], halves[2 * i + 1]) = (id >> HalfBits, id & ((1 << HalfBits) - 1));
        }

        return
        [
            new NamedValues(WeightName, [columns, classes], weights),
            new NamedValues(IdsName, [features.Index.Count, 2], halves),
            new NamedValues(IdfName, [features.Index.Count], features.Idf.ToArray()),
            new NamedValues(CountsName, [2, features.CountMeans.Length], [.. features.CountMeans, .. features.CountScales]),
        ];
    }

    /// <summary>The branch of a saved model.</summary>
    /// <param name="config">What its configuration tells.</param>
    /// <param name="input">Reads features of texts.</param>
    /// <param name="classes">Number of classes, C.</param>
    /// <param name="take">Gives values by name and shape, or throws.</param>
    /// <exception cref="InvalidDataException">The values are those of no such branch.</exception>
    public static LinearBranch Import(LinearBranchConfig config, TextInput input, int classes, Func<string, int[], float[]> take)
    {
        var weights = (config.EncoderWeight, config.LinearWeight);
        if (config.HashedBits > 0)
            return new LinearBranch(
                input, LinearModel.OfHashedTable(take(HashedName, [1 << config.HashedBits, classes]), config.HashedBits, classes), weights);
        var (v, n) = (config.Features, config.Counts);
        var columns = v + n + 1;
        var table = take(WeightName, [columns, classes]);
        var halves = take(IdsName, [v, 2]);
        var idf = take(IdfName, [v]);
        var counts = take(CountsName, [2, n]);
        var stride = Gather.Stride(classes);
        var padded = new float[columns * stride];
        for (var column = 0; column < columns; column++)
            table.AsSpan(column * classes, classes).CopyTo(padded.AsSpan(column * stride));
        try
        {
            var features = new LinearFeatures(new FeatureIndex(IdsOf(halves)), idf, counts[..n], counts[n..]);
            return new LinearBranch(input, new LinearModel(features, classes, padded), weights);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"Tensor {IdsName} holds no ascending hashes: the model file is damaged. {e.Message}", e);
        }
    }

    private static ulong[] IdsOf(float[] halves)
    {
        var ids = new ulong[halves.Length / 2];
        for (var i = 0; i < ids.Length; i++)
        {
            var (high, low) = (halves[2 * i], halves[2 * i + 1]);
            if (!(high >= 0 && high < 1 << HalfBits && low >= 0 && low < 1 << HalfBits))
                throw new ArgumentException($"Feature {i} is no hash.", nameof(halves));
            ids[i] = ((ulong)high << HalfBits) | (ulong)low;
        }

        return ids;
    }
}

/// <summary>What a model file tells of a <see cref="LinearBranch"/>.</summary>
internal sealed record LinearBranchConfig
{
    /// <summary>How much the encoder's log-probabilities count, at least 0.</summary>
    public float EncoderWeight { get; init => field = OptionCheck.Range(value, 0f, 1e6f, nameof(EncoderWeight)); } = 1f;

    /// <summary>How much the linear model's log-probabilities count, at least 0.</summary>
    public float LinearWeight { get; init => field = OptionCheck.Range(value, 0f, 1e6f, nameof(LinearWeight)); } = 1f;

    /// <summary>Features that the linear model knows, V.</summary>
    public int Features { get; init => field = OptionCheck.Range(value, 0, 1 << 24, nameof(Features)); }

    /// <summary>Counts of a pair; 0 for single texts.</summary>
    public int Counts { get; init => field = OptionCheck.Range(value, 0, 1024, nameof(Counts)); }

    /// <summary>Bits of the hashed table of models of version 2 and before; 0 where each feature has a row of its own.</summary>
    public int HashedBits { get; init => field = OptionCheck.Range(value, 0, 24, nameof(HashedBits)); }
}
