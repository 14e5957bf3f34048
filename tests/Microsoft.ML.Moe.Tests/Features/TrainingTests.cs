using Microsoft.ML.Data;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tests.TextEmbeddings;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Features;

/// <summary>What trainings of features can be told, and what sits before them in a chain.</summary>
public sealed class TrainingTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly IDataView _data;

    public TrainingTests() => _data = _ml.Data.LoadFromEnumerable(FeatureTables.Rows());

    [Theory]
    [InlineData("dense")]
    [InlineData("expert choice")]
    [InlineData("unified")]
    [InlineData("unified batch")]
    [InlineData("workspace")]
    public void Every_router_and_none_learns(string how)
    {
        using var model = FeatureTables.Regression(_ml, options =>
        {
            options.MoeEvery = how == "dense" ? 0 : 1;
            options.Router = how switch
            {
                "expert choice" => Router.ExpertChoice(2),
                "unified" => Router.Unified(1.5),
                "unified batch" => Router.Unified(1.5) with { Scope = RoutingScope.Batch },
                _ => options.Router,
            };
            options.GlobalWorkspace = how == "workspace" ? new GlobalWorkspaceSettings(0.9) : null;
        }).Fit(_data);
        Assert.True(_ml.Regression.Evaluate(model.Transform(_data), "Price").RSquared > 0.9);
    }

    [Fact]
    public void Codes_of_a_category_are_learned_as_such_and_stay_so_in_a_zip()
    {
        var rows = FeatureTables.Rows(300);
        foreach (var (i, row) in rows.Index())
            (row.Size, row.IsLarge) = (i % 30, i % 30 * 7919 % 13 > 6);
        var data = _ml.Data.LoadFromEnumerable(rows);
        using var model = FeatureTables.Binary(_ml, options => (options.CategoricalSlots, options.Bins) = (["Size"], 0)).Fit(data);
        Assert.True(_ml.BinaryClassification.Evaluate(model.Transform(data), "IsLarge").Accuracy > 0.97);
        using var loaded = (IDisposable)FeatureTables.Reload(_ml, model);
        Assert.Equal(FeatureTables.Scores(model.Transform(data)), FeatureTables.Scores(((ITransformer)loaded).Transform(data)));
    }

    [Fact]
    public void Routing_can_change_and_is_reported_by_member()
    {
        using var model = FeatureTables.Classes(_ml).Fit(_data);
        var features = Features(model);
        using var other = model.LastTransformer.WithRouting(Router.Unified(1));
        Assert.NotEqual(Scores(model.LastTransformer, features), Scores(other, features));
        Assert.Equal(4, model.LastTransformer.Members);
        var report = model.LastTransformer.ReportRouting(features);
        var layer = Assert.Single(report.Layers);
        Assert.Equal(240 * 4 * 2, layer.Load.Sum(load => load.Pairs));
        var compared = model.LastTransformer.CompareRouting(features, [Router.TokenChoice(1), Router.TokenChoice(2)]);
        Assert.Equal([1, 2], compared.Select(result => Math.Round(result.ExpertsPerToken, 6)));
    }

    [Fact]
    public void Slots_that_drive_experts_are_told_by_name()
    {
        using var model = FeatureTables.Classes(_ml).Fit(_data);
        var experts = model.LastTransformer.ReportSlots(Features(model), top: 2);
        Assert.Equal([0, 1, 2, 3], experts.Select(expert => expert.Expert));
        Assert.Equal(2, experts.Sum(expert => expert.ShareOfTokens), 1e-9);
        Assert.All(experts.SelectMany(expert => expert.Slots), slot => Assert.Contains(slot.Slot, new[] { "Hot.red", "Hot.green", "Hot.blue", "Size", "Noise" }));
        var used = experts.Where(expert => expert.ShareOfTokens > 0);
        Assert.All(used, expert => Assert.Equal(2, expert.Slots.Count));
        Assert.True(used.Max(expert => Math.Abs(expert.Slots[0].Shift)) > 0.2);
    }

    [Fact]
    public void Members_can_be_left_out_after_training()
    {
        using var model = FeatureTables.Regression(_ml, o => o.SpreadColumnName = "Spread").Fit(_data);
        var features = FeatureTables.Featurize(_ml).Fit(_data).Transform(_data);
        var all = FeatureTables.Scores(model.LastTransformer.Transform(features));
        var sums = new double[all.Length];
        for (var member = 0; member < 4; member++)
        {
            using var one = model.LastTransformer.WithMembers(member);
            Assert.Equal(1, one.Members);
            var scores = FeatureTables.Scores(one.Transform(features));
            for (var row = 0; row < sums.Length; row++)
                sums[row] += scores[row] / 4;
        }

        // with Token Choice members do not meet: the ensemble is the mean of its members
        Assert.All(sums.Zip(all), pair => Assert.Equal(pair.Second, pair.First, 1e-3));
        using var same = model.LastTransformer.WithMembers(0, 1, 2, 3);
        Assert.Equal(all, FeatureTables.Scores(same.Transform(features)));
        using var half = model.LastTransformer.WithMembers(3, 1);
        using var again = (IDisposable)FeatureTables.Reload(_ml, half);
        Assert.Equal(FeatureTables.Scores(half.Transform(features)), FeatureTables.Scores(((ITransformer)again).Transform(features)));
        Assert.Throws<ArgumentException>(() => model.LastTransformer.WithMembers(4));
        Assert.Throws<ArgumentException>(() => model.LastTransformer.WithMembers(0, 0));
        Assert.Throws<ArgumentException>(() => model.LastTransformer.WithMembers());
    }

    [Fact]
    public void A_checkpoint_ends_as_if_nothing_had_happened()
    {
        using var folder = new TemporaryFolder();
        using var expected = FeatureTables.Regression(_ml).Fit(_data);
        using var stop = new CancellationTokenSource();
        using (FeatureTables.Regression(_ml, options =>
        {
            options.CheckpointFile = folder["training"];
            options.StopToken = stop.Token;
            options.EpochCompleted = report =>
            {
                if (report.Epoch == 4)
                    stop.Cancel();
            };
        }).Fit(_data))
        {
            Assert.True(File.Exists(folder["training"]));
        }

        using var resumed = FeatureTables.Regression(_ml, options => options.CheckpointFile = folder["training"]).Fit(_data);
        Assert.Equal(FeatureTables.Scores(expected.Transform(_data)), FeatureTables.Scores(resumed.Transform(_data)));
    }

    [Fact]
    public void Training_goes_on_from_an_earlier_model()
    {
        using var earlier = FeatureTables.Regression(_ml).Fit(_data);
        using var later = FeatureTables.Regression(_ml, options =>
        {
            (options.InitialModel, options.FreezeRouter) = (PretrainedModel.From(earlier), true);
            (options.MaxEpochs, options.LearningRate, options.ValidationShare) = (1, 1e-5f, 0);
        }).Fit(_data);
        var (before, after) = (FeatureTables.Scores(earlier.Transform(_data)), FeatureTables.Scores(later.Transform(_data)));
        Assert.All(before.Zip(after), pair => Assert.Equal(pair.First, pair.Second, 0.5f));
        Assert.NotEqual(before, after);
        using var text = Models.Fit(_ml);
        var error = Assert.Throws<InvalidOperationException>(
            () => FeatureTables.Regression(_ml, o => o.InitialModel = PretrainedModel.From(text)).Fit(_data));
        Assert.Contains("InitialModel", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_of_rows_count()
    {
        var rows = FeatureTables.Rows();
        foreach (var row in rows)
        {
            row.Weight = row.Colour == "red" ? 0f : 1f;
            row.Price = row.Colour == "red" ? 1000f : row.Price;
        }

        using var model = FeatureTables.Regression(_ml, o => o.ExampleWeightColumnName = "Weight").Fit(_ml.Data.LoadFromEnumerable(rows));
        Assert.All(FeatureTables.Scores(model.Transform(_data)), score => Assert.InRange(score, -5, 20));
    }

    [Fact]
    public void A_validation_set_chooses_the_epoch()
    {
        var reports = new List<EpochReport>();
        var prepared = FeatureTables.Featurize(_ml).Fit(_data);
        var trainer = _ml.Regression.Trainers.MoeRegressor(FeatureTables.Tiny<MoeRegressionTrainer.Options>(options =>
        {
            (options.LabelColumnName, options.EpochCompleted) = ("Price", reports.Add);
            options.ValidationSet = prepared.Transform(_ml.Data.LoadFromEnumerable(FeatureTables.Rows(60, seed: 7)));
        }));
        using var model = trainer.Fit(prepared.Transform(_data));
        Assert.All(reports, report => Assert.NotNull(report.ValidationLoss));
        Assert.True(reports[^1].ValidationAccuracy < reports[0].ValidationAccuracy, "the mean absolute error falls");
    }

    [Fact]
    public void The_mean_of_several_networks_is_one_model()
    {
        using var model = FeatureTables.Regression(_ml, options => (options.Networks, options.SpreadColumnName) = (2, "Spread")).Fit(_data);
        using var again = (IDisposable)FeatureTables.Reload(_ml, model);
        foreach (var column in new[] { "Score", "Spread" })
            Assert.Equal(model.Transform(_data).GetColumn<float>(column), ((ITransformer)again).Transform(_data).GetColumn<float>(column));
        Assert.NotEmpty(model.LastTransformer.ReportRouting(FeatureTables.Featurize(_ml).Fit(_data).Transform(_data)).Layers);
        using var one = FeatureTables.Regression(_ml).Fit(_data);
        Assert.NotEqual(one.Transform(_data).GetColumn<float>("Score"), model.Transform(_data).GetColumn<float>("Score"));
    }

    [Fact]
    public void Vectors_of_texts_are_features()
    {
        using var encoder = _ml.Transforms.Text.PretrainMoeEncoder(new MoeTextPretrainer.Options
        {
            InputColumnName = "Text", OutputColumnName = "Features", Width = 16, Heads = 2, Layers = 1, HashBits = 10, MaxEpochs = 1, Threads = 1,
        }).Fit(_ml.Data.LoadFromEnumerable(Tables.Rows()));
        var data = encoder.Transform(_ml.Data.LoadFromEnumerable(Tables.Rows()));
        data = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(data).Transform(data);
        using var model = _ml.MulticlassClassification.Trainers.MoeClassifier(FeatureTables.Tiny<MoeFeatureClassificationTrainer.Options>()).Fit(data);
        Assert.True(_ml.MulticlassClassification.Evaluate(model.Transform(data)).MicroAccuracy > 0.8);
    }

    [Fact]
    public void So_are_those_of_a_published_encoder()
    {
        using var tiny = new TinyEmbedder();
        var data = _ml.Data.LoadFromEnumerable(Tables.Rows());
        using var model = _ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(tiny.Estimator(_ml))
            .Append(_ml.MulticlassClassification.Trainers.MoeClassifier(FeatureTables.Tiny<MoeFeatureClassificationTrainer.Options>()))
            .Fit(data);
        Assert.True(_ml.MulticlassClassification.Evaluate(model.Transform(data)).MicroAccuracy > 0.8);
        using var again = (IDisposable)FeatureTables.Reload(_ml, model);
        Assert.Equal(
            model.Transform(data).GetColumn<float[]>("Score"), ((ITransformer)again).Transform(data).GetColumn<float[]>("Score"));
    }

    private IDataView Features(TransformerChain<MoeFeatureClassificationTransformer> model)
    {
        var data = _data;
        foreach (var step in model.Where(step => step is not MoeTransformer))
            data = step.Transform(data);
        return data;
    }

    private static float[][] Scores(MoeTransformer model, IDataView data) => [.. model.Transform(data).GetColumn<float[]>("Score")];
}
