using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Models of features that are the mean of several networks.</summary>
public sealed class FurtherNetworksTests : IDisposable
{
    private const int Networks = 3;
    private static readonly Example<FeatureRow>[] Binary = FeatureTrainerTests.Rows(120, row => row[0] + row[1] > 0 ? 1 : 0);
    private readonly ManagedEngine _engine = new(2);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void Probabilities_are_averaged()
    {
        var rows = FeatureTrainerTests.Rows(120, row => row[0] > 0 ? row[1] > 0 ? 2 : 1 : 0);
        var model = Train(FeatureTask.Classes(3), rows);
        var each = Each(model, rows);
        var scores = FeatureTrainerTests.Score(model, rows);
        for (var i = 0; i < scores.Length; i++)
            Assert.Equal(each.Average(one => one[i]), scores[i], 1e-6);
        Assert.NotEqual(each[0], each[1]);
    }

    [Fact]
    public void Log_odds_are_those_of_the_mean_probability()
    {
        var model = Train(FeatureTask.Binary, Binary);
        var each = Each(model, Binary);
        var scores = FeatureTrainerTests.Score(model, Binary);
        for (var i = 0; i < scores.Length; i++)
            Assert.Equal(each.Average(one => 1 / (1 + Math.Exp(-one[i]))), 1 / (1 + Math.Exp(-scores[i])), 1e-6);
    }

    [Fact]
    public void The_spread_is_that_of_all_members_of_all_networks()
    {
        var rows = FeatureTrainerTests.Rows(120, row => 1000 + 200 * row[0]);
        var model = Train(FeatureTask.Value, rows);
        var each = Each(model, rows);
        var scores = FeatureTrainerTests.Score(model, rows);
        for (var i = 0; i < scores.Length; i += 2)
        {
            var mean = each.Average(one => one[i]);
            Assert.Equal(mean, scores[i], 1e-2);
            var variance = each.Average(one => one[i + 1] * one[i + 1]) + each.Average(one => (one[i] - mean) * (one[i] - mean));
            Assert.Equal(Math.Sqrt(variance), scores[i + 1], 1e-2);
        }
    }

    [Fact]
    public void A_saved_model_scores_the_same()
    {
        var model = Train(FeatureTask.Binary, Binary);
        using var config = new MemoryStream();
        using var weights = new MemoryStream();
        model.Save(config, weights);
        (config.Position, weights.Position) = (0, 0);
        using var other = new ManagedEngine(1);
        var loaded = ModelFiles.LoadFeatures(config, weights, other);
        Assert.Equal(FeatureTrainerTests.Score(model, Binary), FeatureTrainerTests.Score(loaded, Binary));
        Assert.Equal(model.ParameterCount, loaded.ParameterCount);
        Assert.Equal(Networks * FurtherOf(model)[0].ParameterCount, model.ParameterCount);
    }

    [Fact]
    public void Another_router_and_fewer_members_are_all_networks()
    {
        var model = Train(FeatureTask.Binary, Binary);
        var router = Router.ExpertChoice(1);
        AssertFollow(model.WithRouting(router), one => one.WithRouting(router));
        AssertFollow(model.WithPrecision(InferencePrecision.BFloat16), one => one.WithPrecision(InferencePrecision.BFloat16));
        AssertFollow(MemberChoice.Keep(model, [2, 0]), one => MemberChoice.Keep(one, [2, 0]));

        void AssertFollow(Model<FeatureRow> changed, Func<Model<FeatureRow>, Model<FeatureRow>> change)
        {
            var further = FurtherOf(changed).Select(one => FeatureTrainerTests.Score(one, Binary)).ToList();
            Assert.Equal(FurtherOf(model).Select(one => FeatureTrainerTests.Score(change(one), Binary)), further);
            Assert.NotEqual(FurtherOf(model).Select(one => FeatureTrainerTests.Score(one, Binary)), further);
        }
    }

    [Fact]
    public void Each_network_holds_out_rows_of_its_own_and_the_seed_decides()
    {
        var recorder = new Recorder();
        var scores = FeatureTrainerTests.Score(Train(FeatureTask.Binary, Binary, recorder), Binary);
        Assert.Equal(["Network 2 of 3.", "Network 3 of 3."], recorder.Messages);
        Assert.Equal(Networks, recorder.FirstLosses.Distinct().Count());
        Assert.Equal(Config().Training.MaxEpochs, recorder.Epochs);
        using var single = new ManagedEngine(1);
        var again = new FeatureTrainer(Config(), 3, FeatureTask.Binary, single).Train(Binary);
        Assert.Equal(scores, FeatureTrainerTests.Score(again, Binary));
    }

    [Fact]
    public void An_interrupted_training_goes_on_in_the_network_where_it_was()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "training.checkpoint");
        var config = Config() with { Training = Config().Training with { CheckpointFile = file } };
        var expected = FeatureTrainerTests.Score(Train(FeatureTask.Binary, Binary), Binary);
        Assert.Throws<OperationCanceledException>(() =>
            new FeatureTrainer(config, 3, FeatureTask.Binary, _engine).Train(Binary, observer: new Recorder { FailsInNetwork = 2 }));
        var (whole, rest) = (new Recorder(), new Recorder());
        Train(FeatureTask.Binary, Binary, whole);
        var model = new FeatureTrainer(config, 3, FeatureTask.Binary, _engine).Train(Binary, observer: rest);
        Assert.Equal(expected, FeatureTrainerTests.Score(model, Binary));
        Assert.InRange(rest.Steps, 1, whole.Steps * 2 / Networks - 1);
    }

    [Fact]
    public void A_file_with_networks_that_tell_something_else_is_refused()
    {
        var model = Train(FeatureTask.Binary, Binary);
        var config = model.Config with { FurtherHeads = [FeatureTask.Value.HeadOf(Binary, 4), model.Config.Head] };
        Assert.Throws<InvalidDataException>(() => Read(config));
        Assert.Throws<InvalidDataException>(() => Read(model.Config with { FurtherHeads = [] }));
        Assert.Throws<InvalidDataException>(() => Read(model.Config with { FurtherHeads = [.. Enumerable.Repeat(model.Config.Head, 64)] }));
        Assert.Throws<InvalidDataException>(() => Read(model.Config with { FurtherHeads = [model.Config.Head, null!] }));
        Assert.Equal(2, Read(model.Config).FurtherHeads!.Count);

        static ModelConfig Read(ModelConfig config)
        {
            using var stream = new MemoryStream();
            config.Write(stream);
            stream.Position = 0;
            return ModelConfig.Read(stream);
        }
    }

    /// <summary>A file of 220 KB that named 16,777,216 slots took 420 MB.</summary>
    [Fact]
    public void Slots_that_are_only_named_take_no_memory()
    {
        const int Slots = FeatureRow.MaximumSlots;
        var model = Train(FeatureTask.Binary, Binary);
        using var config = new MemoryStream();
        using var weights = new MemoryStream();
        model.Save(config, weights);
        (model.Config with { Input = (FeatureInputConfig)model.Config.Input with { Slots = Slots } }).Write(Emptied(config));
        (config.Position, weights.Position) = (0, 0);

        using var other = new ManagedEngine(1);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var loaded = ModelFiles.LoadFeatures(config, weights, other);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 << 20);

        Example<FeatureRow>[] rows =
        [
            .. Binary.Select(row => row with
            {
                Input = FeatureRow.Sparse(
                    Slots, [.. Enumerable.Range(0, row.Input.Slots)], [.. Enumerable.Range(0, row.Input.Slots).Select(slot => row.Input[slot])]),
            }),
        ];
        Assert.Equal(FeatureTrainerTests.Score(model, Binary), FeatureTrainerTests.Score(loaded, rows));
    }

    private static MemoryStream Emptied(MemoryStream stream)
    {
        stream.SetLength(0);
        return stream;
    }

    private static FeatureModelConfig Config() => FeatureTrainerTests.Tiny() with { Networks = Networks };

    private static IReadOnlyList<Model<FeatureRow>> FurtherOf(Model<FeatureRow> model) =>
        Assert.IsType<FurtherNetworks>(model.Branch).Networks;

    private static List<float[]> Each(Model<FeatureRow> model, Example<FeatureRow>[] rows)
    {
        var alone = model.WithBranch(new FurtherNetworks([], model.Head));
        return [FeatureTrainerTests.Score(alone, rows), .. FurtherOf(model).Select(one => FeatureTrainerTests.Score(one, rows))];
    }

    private Model<FeatureRow> Train(FeatureTask task, Example<FeatureRow>[] rows, ITrainingObserver? observer = null) =>
        new FeatureTrainer(Config(), 3, task, _engine).Train(rows, observer: observer);

    private sealed class Recorder : ITrainingObserver
    {
        public List<string> Messages { get; } = [];

        public List<double> FirstLosses { get; } = [];

        public int Epochs { get; private set; }

        public int Steps { get; private set; }

        public int FailsInNetwork { get; init; }

        public void OnStep(int epoch, int step, int steps, double loss)
        {
            Steps++;
            if (epoch == 1 && step == 1)
                FirstLosses.Add(loss);
            if (FailsInNetwork > 0 && Messages.Count == FailsInNetwork - 1 && epoch == 5)
                throw new OperationCanceledException();
        }

        public void OnEpoch(EpochReport report) => Epochs++;

        public void OnMessage(string message) => Messages.Add(message);
    }
}
