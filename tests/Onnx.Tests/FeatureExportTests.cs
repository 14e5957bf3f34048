using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Onnx;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Onnx;

/// <summary>Models of tables: every kind of slot and of head, and ensembles of networks.</summary>
public sealed class FeatureExportTests : IDisposable
{
    private const int Rows = 1000;
    private const int Members = 5;
    private const int Slots = 7;

    private readonly ManagedEngine _engine = new(2);
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _folder.Dispose();
        _engine.Dispose();
    }

    [Theory]
    [InlineData(3, true)]
    [InlineData(0, true)]
    [InlineData(3, false)]
    public void Classes_of_every_kind_of_slot(int embeddingWidth, bool hasExperts)
    {
        var model = Create(new MemberClassesHeadConfig { Classes = 3, Members = Members, Temperature = 1.7f }, embeddingWidth, hasExperts);
        var rows = FeatureRows();
        OnnxFile.Close(model.Scores(rows), Run(model, rows, "Score"), 3, fewRows: hasExperts ? 3 : 0);
    }

    [Fact]
    public void Yes_or_no_as_log_odds_and_probability()
    {
        var model = Create(new BinaryHeadConfig { Members = Members });
        var rows = FeatureRows();
        var scores = model.Scores(rows);
        OnnxFile.Close(scores, Run(model, rows, "Score"), 1, fewRows: 3);
        OnnxFile.Close([.. scores.Select(score => 1 / (1 + MathF.Exp(-score)))], Run(model, rows, "Probability"), 1, fewRows: 3);
    }

    [Fact]
    public void A_number_with_its_spread()
    {
        var model = Create(new ValueHeadConfig { Members = Members, Mean = 40, Deviation = 7 });
        var rows = FeatureRows();
        var outputs = model.Scores(rows);
        OnnxFile.Close([.. outputs.Where((_, i) => i % 2 == 0)], Run(model, rows, "Score"), 1, fewRows: 3);
        OnnxFile.Close([.. outputs.Where((_, i) => i % 2 == 1)], Run(model, rows, "Spread"), 1, fewRows: 3);
    }

    [Theory]
    [InlineData("classes", "Score")]
    [InlineData("binary", "Score")]
    [InlineData("value", "Score")]
    [InlineData("value", "Spread")]
    public void The_mean_of_several_networks(string task, string output)
    {
        HeadConfig head = task switch
        {
            "classes" => new MemberClassesHeadConfig { Classes = 3, Members = Members },
            "binary" => new BinaryHeadConfig { Members = Members },
            _ => new ValueHeadConfig { Members = Members, Mean = 1, Deviation = 2 },
        };
        var first = Create(head);
        var model = first.WithBranch(new FurtherNetworks([Create(head, seed: 8), Create(head, seed: 9)], first.Head));
        var rows = FeatureRows();
        var scores = model.Scores(rows);
        Assert.NotEqual(first.Scores(rows), scores);
        var (columns, column) = (model.Outputs, output == "Spread" ? 1 : 0);
        float[] expected = task == "value" ? [.. scores.Where((_, i) => i % 2 == column)] : scores;
        OnnxFile.Close(expected, Run(model, rows, output), task == "value" ? 1 : columns, fewRows: 5);
    }

    [Fact]
    public void Values_that_are_missing_or_infinite_or_far_out()
    {
        var model = Create(new MemberClassesHeadConfig { Classes = 3, Members = Members }, hasExperts: false);
        float[] odd = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 1e30f, -1e30f, 0f, -1f, 2f, 9f, 4f];
        var rows = Enumerable.Range(0, 60)
            .Select(i => FeatureRow.Dense([.. Enumerable.Range(0, Slots).Select(slot => odd[(i * (slot + 1) + slot + i / 10) % odd.Length])]))
            .ToList();
        OnnxFile.Close(model.Scores(rows), Run(model, rows, "Score"), 3);
    }

    private float[] Run(Model<FeatureRow> model, List<FeatureRow> rows, string output)
    {
        OnnxExport.Save(model, _folder["model.onnx"]);
        using var file = new OnnxFile(_folder["model.onnx"]);
        Assert.Equal(["Features"], file.Inputs);
        var slots = rows[0].Slots;
        float[] values = [.. rows.SelectMany(row => Enumerable.Range(0, slots).Select(slot => row[slot]))];
        return file.Run(output, OnnxFile.Input("Features", values, rows.Count, slots));
    }

    private Model<FeatureRow> Create(HeadConfig head, int embeddingWidth = 3, bool hasExperts = true, int seed = 7)
    {
        var config = new FeatureInputConfig
        {
            Slots = Slots,
            Members = Members,
            EmbeddingWidth = embeddingWidth,
            Numbers =
            [
                new NumberSlot { Slot = 0, Mean = 0.2, Deviation = 1.5, Missing = 0f, Least = -3f, Most = 4f, Edges = [-1f, 0f, 0.5f, 2f] },
                new NumberSlot { Slot = 2, Mean = 1, Deviation = 1, Missing = 1f, Least = 0f, Most = 2f, Edges = [0f, 2f] },
                new NumberSlot { Slot = 4, Mean = -1, Deviation = 0.5, Missing = -1f, Least = -4f, Most = 2f },
            ],
            Binaries = [new BinarySlot { Slot = 1, Low = 0f, High = 1f, Missing = 1f }],
            Categories = [new CategorySlot { Slot = 6, Values = [-1f, 0f, 3f] }],
            MissingSlots = [0, 2],
            TableSlots = [new TableSlot { Slot = 3, Scale = 0.25f }, new TableSlot { Slot = 5, Scale = 2f }],
        };
        var encoder = FeatureEncoderConfig.From(new EncoderConfig
        {
            Width = 16,
            Heads = 1,
            Layers = 2,
            MoeEvery = hasExperts ? 1 : 0,
            Experts = 4,
            ExpertWidth = 16,
            DenseWidth = 16,
            Router = Router.TokenChoice(2),
        });
        var store = new ParameterStore(_engine, seed) { HasDenseTables = true };
        var model = new Model<FeatureRow>(
            _engine, new ModelConfig { Input = config, Encoder = encoder, Head = head }, new FeatureInput(config), store);
        // what begins at zero would hide where it goes
        var random = new Random(seed);
        foreach (var (parameter, _) in store.All)
            if (parameter.Value.ToArray().All(value => value == 0f))
                parameter.Value.CopyFrom([.. Enumerable.Range(0, parameter.Value.Length).Select(_ => random.NextSingle() - 0.5f)]);
        return model;
    }

    private static List<FeatureRow> FeatureRows()
    {
        var random = new Random(3);
        return
        [
            .. Enumerable.Range(0, Rows).Select(_ => FeatureRow.Dense(
            [
                random.Next(20) == 0 ? float.NaN : 6 * random.NextSingle() - 3,
                random.Next(2),
                random.Next(9) == 0 ? float.NaN : 3 * random.NextSingle(),
                random.Next(5),
                random.NextSingle() - 2,
                random.Next(3) == 0 ? 0f : random.NextSingle() - 0.5f,
                random.Next(5) switch { 0 => float.NaN, 1 => -1f, 2 => 3f, 3 => 7f, _ => 0f },
            ])),
        ];
    }
}
