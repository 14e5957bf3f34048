using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Features;

/// <summary>What every engine must make of rows of features: values equal to plain loops, gradients equal to finite differences.</summary>
public abstract class FeatureModelTests
{
    private const int Width = 8;
    private const int Members = 3;

    private static readonly FeatureRow[] Rows =
    [
        FeatureRow.Dense([0.5f, 1f, 0f, 9f, 6f]),
        FeatureRow.Dense([-2f, 0f, float.NaN, 9f, float.NaN]),
        FeatureRow.Dense([3f, 1f, 2f, 0f, -1f]),
        FeatureRow.Dense([0f, 0f, 0f, 0f, 0f]),
    ];

    /// <summary>Creates the engine under test.</summary>
    protected abstract Engine CreateEngine();

    // of many values of a category, training multiplies only those that a row has
    [SkippableTheory]
    [InlineData(3, false)]
    [InlineData(3, true)]
    [InlineData(33, false)]
    [InlineData(33, true)]
    public void Tokens_are_what_plain_loops_make_of_the_row(int codes, bool isTraining)
    {
        using var engine = CreateEngine();
        var config = Config(codes);
        var store = new ParameterStore(engine, seed: 5);
        var embedding = new FeatureInput(config).CreateEmbedding(store, Encoder());
        // steps begin at 0: others tell whether they are summed
        var steps = store.All.Single(p => p.Parameter.Name == "numbers.steps").Parameter.Value;
        steps.CopyFrom(TestNumbers.Normal(3, steps.Length));
        var batch = new FeatureInput(config).CreatePacker(default).Pack(Rows, new Random(1), isTraining);
        Assert.Equal(isTraining && codes > 32, ((FeatureBatch)batch).Indicators.Count > 0);
        using var tape = engine.BeginTape(training: false);
        var tokens = embedding.Forward(new ForwardContext(tape, batch.Layout), batch).ToArray();

        var values = store.All.ToDictionary(p => p.Parameter.Name, p => p.Parameter.Value.ToArray());
        for (var row = 0; row < Rows.Length; row++)
            for (var member = 0; member < Members; member++)
                for (var column = 0; column < Width; column++)
                {
                    var expected = Token(config, values, Rows[row], member, column);
                    Assert.Equal(expected, tokens[(row * Members + member) * Width + column], 1e-4);
                }
    }

    [SkippableTheory]
    [InlineData("classes", 3)]
    [InlineData("binary", 3)]
    [InlineData("value", 3)]
    [InlineData("value", 33)]
    public void Gradients_of_the_loss_are_finite_differences(string task, int codes)
    {
        using var engine = CreateEngine();
        var config = Config(codes) with { TableSlots = [new TableSlot { Slot = 3, Scale = 0.1f }], Binaries = Config().Binaries[..1] };
        HeadConfig head = task switch
        {
            "classes" => new MemberClassesHeadConfig { Classes = 3, Members = Members, Temperature = 2f },
            "binary" => new BinaryHeadConfig { Members = Members },
            _ => new ValueHeadConfig { Members = Members, Mean = 0.4, Deviation = 0.7 },
        };
        var store = new ParameterStore(engine, seed: 2) { HasDenseTables = true };
        var model = new Model<FeatureRow>(
            engine, new ModelConfig { Input = config, Encoder = Encoder(), Head = head }, new FeatureInput(config), store);
        var targets = new Targets();
        targets.Begin(Rows.Length);
        foreach (var (target, weight) in new[] { (0f, 1f), (1f, 0.5f), (task == "binary" ? 1f : 2f, 2f), (0f, 0f) })
            targets.Add(target, weight);
        // away from the kinks of ReLU, whose slopes finite differences would straddle
        foreach (var name in new[] { "stem.bias", "layers.0.feedForward.first.bias" })
        {
            var bias = store.All.Single(p => p.Parameter.Name == name).Parameter.Value;
            bias.CopyFrom([.. Enumerable.Range(0, bias.Length).Select(i => i % 2 == 0 ? 8f : -8f)]);
        }

        GradientCheck.Run(
            engine,
            tape =>
            {
                var batch = model.Input.CreatePacker(default).Pack(Rows, new Random(1), withNoise: true);
                return model.Head.Loss(tape, model.Forward(tape, batch), batch, targets, new TrainingConfig { LabelSmoothing = 0f });
            },
            [.. store.All.Select(p => p.Parameter)],
            tolerance: 4e-3);
    }

    private static double Token(
        FeatureInputConfig config, Dictionary<string, float[]> values, FeatureRow row, int member, int column)
    {
        var (numbers, width) = (config.Numbers.Length, config.EmbeddingWidth);
        var columns = new List<double>();
        for (var n = 0; n < numbers; n++)
        {
            var number = config.Numbers[n];
            var value = number.Complete(row[number.Slot]);
            var z = (value - number.Mean) / number.Deviation;
            z /= Math.Sqrt(1 + z * z / 9);
            for (var d = 0; d < width; d++)
            {
                var sum = values["numbers.affine"][n * width + d] * z + values["numbers.affine"][(numbers + n) * width + d];
                for (var bin = 0; bin + 1 < number.Edges.Length; bin++)
                {
                    var share = Math.Clamp((value - number.Edges[bin]) / (number.Edges[bin + 1] - number.Edges[bin]), 0, 1);
                    sum += share * values["numbers.steps"][(bin * numbers + n) * width + d];
                }

                columns.Add(sum);
            }
        }

        foreach (var binary in config.Binaries)
            columns.Add(row[binary.Slot] == binary.High ? 1 : 0);
        foreach (var slot in config.MissingSlots)
            columns.Add(float.IsNaN(row[slot]) ? 1 : 0);
        foreach (var category in config.Categories)
            columns.AddRange(category.Values.Select(value => row[category.Slot] == value ? 1.0 : 0.0));
        var result = (double)values["stem.bias"][column];
        for (var i = 0; i < columns.Count; i++)
            result += columns[i] * values["members.factors"][member * columns.Count + i] * values["stem.weight"][i * Width + column];
        return Math.Max(0, result);
    }

    private static FeatureEncoderConfig Encoder() =>
        FeatureEncoderConfig.From(new EncoderConfig { Width = Width, Heads = 1, Layers = 1, MoeEvery = 0, DenseWidth = 8, Dropout = 0f });

    private static FeatureInputConfig Config(int codes = 3) => new()
    {
        Slots = 5,
        Members = Members,
        EmbeddingWidth = 2,
        Numbers =
        [
            new NumberSlot { Slot = 0, Mean = 0.2, Deviation = 1.5, Missing = 0f, Least = -3f, Most = 4f, Edges = [-1f, 0f, 2f] },
            new NumberSlot { Slot = 2, Mean = 1, Deviation = 1, Missing = 1f, Least = 0f, Most = 2f, Edges = [0f, 2f] },
        ],
        Binaries = [new BinarySlot { Slot = 1, Low = 0f, High = 1f, Missing = 0f }, new BinarySlot { Slot = 3, Low = 0f, High = 9f, Missing = 0f }],
        Categories = [new CategorySlot { Slot = 4, Values = [-1f, 0f, 6f, .. Enumerable.Range(7, codes - 3).Select(code => (float)code)] }],
        MissingSlots = [2],
        TableSlots = [],
    };
}
