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
    private const int Members = SmallModels.Members;
    private const int Slots = SmallModels.Slots;

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
        var rows = SmallModels.FeatureRows(Rows);
        OnnxFile.Close(model, rows, model.Scores(rows), Run(model, rows, "Score"), 3, fewRows: hasExperts ? 3 : 0);
    }

    [Fact]
    public void Yes_or_no_as_log_odds_and_probability()
    {
        var model = Create(new BinaryHeadConfig { Members = Members });
        var rows = SmallModels.FeatureRows(Rows);
        var scores = model.Scores(rows);
        OnnxFile.Close(model, rows, scores, Run(model, rows, "Score"), 1, fewRows: 3);
        OnnxFile.Close(
            model, rows, [.. scores.Select(score => 1 / (1 + MathF.Exp(-score)))], Run(model, rows, "Probability"), 1, fewRows: 3);
    }

    [Fact]
    public void A_number_with_its_spread()
    {
        var model = Create(new ValueHeadConfig { Members = Members, Mean = 40, Deviation = 7 });
        var rows = SmallModels.FeatureRows(Rows);
        var outputs = model.Scores(rows);
        OnnxFile.Close(model, rows, [.. outputs.Where((_, i) => i % 2 == 0)], Run(model, rows, "Score"), 1, fewRows: 3);
        OnnxFile.Close(model, rows, [.. outputs.Where((_, i) => i % 2 == 1)], Run(model, rows, "Spread"), 1, fewRows: 3);
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
        var rows = SmallModels.FeatureRows(Rows);
        var scores = model.Scores(rows);
        Assert.NotEqual(first.Scores(rows), scores);
        var (columns, column) = (model.Outputs, output == "Spread" ? 1 : 0);
        float[] expected = task == "value" ? [.. scores.Where((_, i) => i % 2 == column)] : scores;
        OnnxFile.Close(model, rows, expected, Run(model, rows, output), task == "value" ? 1 : columns, fewRows: 5);
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
        return file.Run(output, SmallModels.Input(rows));
    }

    private Model<FeatureRow> Create(HeadConfig head, int embeddingWidth = 3, bool hasExperts = true, int seed = 7) =>
        SmallModels.Table(_engine, head, embeddingWidth, hasExperts, seed);
}
