using System.Buffers;
using System.Text.Json.Serialization;
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
    public const float SmallestProbability = 1e-30f;
    /// <summary>The table of models of version 2 and before.</summary>
    private const string HashedName = "wide.weight";

    /// <summary>Rows that are worth waking a thread for.</summary>
    private const int RowsOfItem = 16;

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

    /// <summary>What the linear model reads of a row; see <see cref="LinearModel.Transform"/>.</summary>
    public void Transform(EncodedText row, List<int> indices, List<float> values) => Model.Transform(_input.LinearRowOf(row), indices, values);

    /// <inheritdoc/>
    public override ModelConfig AddTo(ModelConfig config) => config with
    {
        Linear = new LinearBranchConfig
        {
            EncoderWeight = Weights.Encoder,
            LinearWeight = Weights.Linear,
            Features = Model.Features.Index.Count,
            Rows = Model.Features.Index.HashedBits > 0 ? 0 : LinearModelValues.RowsOf(Model),
            Counts = Model.Features.CountMeans.Length,
            HashedBits = Model.Features.Index.HashedBits,
        },
    };

    /// <summary>The natural logarithm of a probability; of one that single precision takes for 0, that of 10⁻³⁰.</summary>
    public static float Logarithm(float probability) => MathF.Log(MathF.Max(probability, SmallestProbability));

    /// <inheritdoc/>
    public override void Combine(Engine engine, IReadOnlyList<EncodedText> rows, Span<float> outputs)
    {
        if (rows.Count <= RowsOfItem)
        {
            Combine(rows, 0, rows.Count, outputs);
            return;
        }

        var rented = ArrayPool<float>.Shared.Rent(outputs.Length);
        outputs.CopyTo(rented);
        var length = outputs.Length;
        engine.ForEach(
            (rows.Count + RowsOfItem - 1) / RowsOfItem,
            item => Combine(rows, item * RowsOfItem, Math.Min(rows.Count, (item + 1) * RowsOfItem), rented.AsSpan(0, length)));
        rented.AsSpan(0, length).CopyTo(outputs);
        ArrayPool<float>.Shared.Return(rented);
    }

    private void Combine(IReadOnlyList<EncodedText> rows, int start, int end, Span<float> outputs)
    {
        var classes = Model.Classes;
        var scores = classes <= 1024 ? stackalloc float[classes] : new float[classes];
        for (var i = start; i < end; i++)
        {
            var probabilities = outputs.Slice(i * classes, classes);
            Model.Score(_input.LinearRowOf(rows[i]), scores);
            // of the linear model's logarithms, the sum over classes that they lack is the same for all classes: softmax does without
            Softmax.WeighLogarithms(probabilities, Weights.Encoder, scores, Weights.Linear);
            Softmax.Of(probabilities);
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<NamedValues> Export() => Model.Features.Index.HashedBits > 0 ? [ExportTable()] : [.. LinearModelValues.Export(Model)];

    /// <summary>The branch of a saved model.</summary>
    /// <param name="config">What its configuration tells.</param>
    /// <param name="input">Reads features of texts.</param>
    /// <param name="classes">Number of classes, C.</param>
    /// <param name="take">Gives values by name and shape, or throws.</param>
    /// <exception cref="InvalidDataException">The values are those of no such branch.</exception>
    public static LinearBranch Import(LinearBranchConfig config, TextInput input, int classes, Func<string, int[], float[]> take)
    {
        var model = config.HashedBits > 0
            ? LinearModel.OfHashedTable(take(HashedName, [1 << config.HashedBits, classes]), config.HashedBits, classes)
            : LinearModelValues.Import(take, config.Features, config.Rows, config.Counts, classes);
        return new LinearBranch(input, model, (config.EncoderWeight, config.LinearWeight));
    }

    private NamedValues ExportTable()
    {
        var (rows, classes) = (Model.Features.Index.Count, Model.Classes);
        var table = new float[rows * classes];
        var stride = Gather.Stride(classes);
        for (var row = 0; row < rows; row++)
            Model.Weights.Slice(row * stride, classes).CopyTo(table.AsSpan(row * classes));
        return new NamedValues(HashedName, [rows, classes], table);
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

    /// <summary>Rows of weights that these share, R; 0 in files where each has its own.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Rows { get; init => field = OptionCheck.Range(value, 0, 1 << 24, nameof(Rows)); }

    /// <summary>Counts of a pair; 0 for single texts.</summary>
    public int Counts { get; init => field = OptionCheck.Range(value, 0, 1024, nameof(Counts)); }

    /// <summary>Bits of the hashed table of models of version 2 and before; 0 where each feature has a row of its own.</summary>
    public int HashedBits { get; init => field = OptionCheck.Range(value, 0, 24, nameof(HashedBits)); }
}
