using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Loss and gradients of models that write, with and without a global workspace.</summary>
public sealed class GeneratorObjectiveTests : IDisposable
{
    /// <summary>Smooth where the published one has a kink.</summary>
    private static readonly string Switch = TinyGenerators.Switch.With(("dense_act_fn", "gelu_new"));

    private readonly ManagedEngine _engine = new(2);

    public void Dispose() => _engine.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void GradientsAreThoseOfTheWholeLoss(bool isEncoderDecoder)
    {
        var model = TinyGenerators.Create(_engine, isEncoderDecoder ? Switch : TinyCausal.Olmoe);
        var rows = TinyGenerators.Rows(model, 3);
        rows[1] = rows[1] with { Weight = 2f };
        // token vectors begin so small that a norm bends within a difference's step
        var words = model.Parameters.All.Single(p => p.Role == ParameterRole.Embedding).Parameter.Value;
        words.CopyFrom([.. words.ToArray().Select(value => 25f * value)]);
        // a token that is not broadcast and near to another expert would jump within a difference's step, in the causal model one is
        var workspace = new GlobalWorkspaceSettings(0, MaxTokensPerSequence: isEncoderDecoder ? 3 : null);
        var objective = Objective(model, rows, workspace);
        Accumulate(objective, rows.Length);
        float[][] gradients = [.. model.Parameters.All.Select(p => GradientOf(p.Parameter))];

        var random = new Random(1);
        foreach (var (gradient, (parameter, _)) in gradients.Zip(model.Parameters.All))
        {
            var values = parameter.Value.ToArray();
            for (var trial = 0; trial < 4; trial++)
            {
                var place = random.Next(values.Length);
                double At(float offset)
                {
                    var changed = (float[])values.Clone();
                    changed[place] += offset;
                    parameter.Value.CopyFrom(changed);
                    return LossOf(model, rows, workspace);
                }

                const float Step = 0.01f;
                var expected = (8 * (At(Step) - At(-Step)) - (At(2 * Step) - At(-2 * Step))) / (12 * Step);
                Assert.True(
                    Math.Abs(expected - gradient[place]) <= 3e-3 * Math.Max(0.1, Math.Abs(expected)),
                    $"{parameter.Name}, element {place}: gradient {gradient[place]}, finite difference {expected}.");
            }

            parameter.Value.CopyFrom(values);
        }
    }

    [Theory]
    [InlineData(TinyGenerators.Switch)]
    [InlineData(TinyCausal.Olmoe)]
    public void OneBroadcastTokenGivesEveryExpertAGradient(string config)
    {
        var model = TinyGenerators.Create(_engine, config);
        var row = TinyGenerators.Rows(model, 1)[0];
        // the answer is one token, so that the decoder has one, and no other can reach the experts
        if (row.Input.Ids!.Targets is not null)
            row = row with { Input = row.Input.WithTargets([TinyGenerators.End]) };

        Accumulate(Objective(model, [row], null), 1);
        Assert.Contains(Reached(model), reached => reached.Contains(false));
        Clear(model);
        Accumulate(Objective(model, [row], new GlobalWorkspaceSettings(0, MaxTokensPerSequence: 1)), 1);
        Assert.All(Reached(model), reached => Assert.DoesNotContain(false, reached));
    }

    /// <summary>All tokens of one block are uncertain, none or about a quarter of those of the other.</summary>
    [Theory]
    [InlineData(EntropyUnit.Nats, 0, 2.1)] // over ln 8
    [InlineData(EntropyUnit.ShareOfTokens, 1, 0.25)]
    public void EachBlockBroadcastsByItsOwnThreshold(EntropyUnit unit, double ofFirst, double ofSecond)
    {
        var model = TinyGenerators.Create(_engine, TinyCausal.Olmoe);
        EncodedText[] rows = [.. TinyGenerators.Rows(model, 30).Select(row => row.Input)];
        var settings = new GlobalWorkspaceSettings(ofFirst, unit) { BlockThresholds = new Dictionary<int, double> { [1] = ofSecond } };
        var policies = new WorkspacePolicies(settings, model.Experts, model.Config.MoeBlocks);
        policies.Begin(thresholds: null, rows, (read, observer) => model.Score(read, [], observer));

        var shares = new Shares();
        using var tape = _engine.BeginTape(training: true);
        model.Forward(tape, model.Input.CreatePacker(model.Packing()).Pack(rows), shares, policies.Select);

        Assert.Equal(1, shares.OfBlock[0]);
        // the second block's tokens are others while the first one's go to all experts
        Assert.InRange(shares.OfBlock[1], ofSecond > 1 ? 0 : 0.05, ofSecond > 1 ? 0 : 0.6);
    }

    [Theory]
    [InlineData(TinyGenerators.Switch)]
    [InlineData(TinyCausal.Olmoe)]
    public void AThresholdAboveTheLargestEntropyChangesNoBit(string model)
    {
        GeneratorTrainingConfig Config(GlobalWorkspaceSettings? workspace) => new()
        {
            Training = new GeneratorTrainingConfig().Training with { LearningRate = 1e-3f, BatchSize = 8, GlobalWorkspace = workspace },
        };

        var (plain, _) = TinyGenerators.Train(model, Config(null));
        var (unreached, _) = TinyGenerators.Train(model, Config(new GlobalWorkspaceSettings(Math.Log(8) + 0.01, EntropyUnit.Nats)));
        var (reached, _) = TinyGenerators.Train(model, Config(new GlobalWorkspaceSettings(0.5, EntropyUnit.Nats)));

        Assert.Equal(plain, unreached);
        Assert.NotEqual(plain, reached);
    }

    [Theory]
    [InlineData(TinyGenerators.Switch)]
    [InlineData(TinyCausal.Olmoe)]
    public void EvaluationNeverBroadcasts(string config)
    {
        var model = TinyGenerators.Create(_engine, config);
        var rows = TinyGenerators.Rows(model, 6);

        var plain = Objective(model, rows, null, rows).Evaluate();
        var objective = Objective(model, rows, new GlobalWorkspaceSettings(0), rows);
        objective.BeginEpoch(1, state: null);

        Assert.NotNull(plain);
        Assert.Equal(plain, objective.Evaluate());
    }

    [Fact]
    public void BatchesAreOfSimilarLengthAndTheSeedAloneDecides()
    {
        var random = new Random(1);
        int[] lengths = [.. Enumerable.Range(0, 203).Select(_ => random.Next(1, 100))];
        int[] Arranged(int seed)
        {
            var order = Enumerable.Range(0, lengths.Length).ToArray();
            var chance = new Random(seed);
            chance.Shuffle(order);
            LengthBuckets.Arrange(order, 8, example => lengths[example], chance);
            return order;
        }

        var order = Arranged(1);

        Assert.Equal(Enumerable.Range(0, lengths.Length), order.Order());
        Assert.Equal(order, Arranged(1));
        Assert.NotEqual(order, Arranged(2));
        // 25 whole batches out of 203 sorted lengths within [1, 99]: a batch spans some 4 of them, at random it would some 78
        Assert.All(order[..200].Chunk(8), batch => Assert.InRange(batch.Max(i => lengths[i]) - batch.Min(i => lengths[i]), 0, 25));
        Assert.NotEqual(order[..200].Chunk(8).OrderBy(batch => lengths[batch[0]]).SelectMany(batch => batch), order[..200]);
    }

    [Fact]
    public void ManyStretchesStayRandom()
    {
        var order = Enumerable.Range(0, 1000).ToArray();

        LengthBuckets.Arrange(order, 1, example => -example, new Random(1));

        // batches of one are only shuffled, within 64 at a time
        Assert.All(order.Chunk(64).Index(), stretch => Assert.All(stretch.Item, example => Assert.Equal(stretch.Index, example / 64)));
    }

    private static GeneratorObjective Objective(
        Model<EncodedText> model, Example<EncodedText>[] rows, GlobalWorkspaceSettings? workspace, Example<EncodedText>[]? validation = null)
    {
        var config = new GeneratorTrainingConfig();
        config = config with { Training = config.Training with { GlobalWorkspace = workspace, LabelSmoothing = 0.1f } };
        return new GeneratorObjective(
            model, model.Input.CreatePacker(model.Packing()), new TrainingRows<EncodedText>(rows, validation ?? [], false), config, metric: null);
    }

    private static void Accumulate(GeneratorObjective objective, int examples)
    {
        objective.BeginEpoch(1, state: null);
        objective.Prepare([.. Enumerable.Range(0, examples)], new Random(1));
        objective.Accumulate(1f).Read();
    }

    /// <summary>The loss of rows in a pass of training, with what the layers add.</summary>
    private static double LossOf(Model<EncodedText> model, Example<EncodedText>[] rows, GlobalWorkspaceSettings workspace)
    {
        var encoder = model.Config.Encoder;
        var policies = new WorkspacePolicies(workspace, encoder.Experts, model.Config.MoeBlocks, encoder.Layers);
        var targets = new Targets();
        targets.Begin(rows.Length);
        foreach (var row in rows)
            targets.Add(row.Target, row.Weight);
        using var tape = model.Engine.BeginTape(training: true);
        var batch = model.Input.CreatePacker(model.Packing()).Pack([.. rows.Select(row => row.Input)]);
        var scores = model.Forward(tape, batch, policies: policies.Select);
        var loss = (double)model.Head.Loss(tape, scores, batch, targets, new TrainingConfig { LabelSmoothing = 0.1f }).ToArray()[0];
        return loss + tape.AuxiliaryLosses.Sum(extra => (double)extra.ToArray()[0]);
    }

    private static IEnumerable<bool[]> Reached(Model<EncodedText> model) =>
        model.Parameters.All.Select(p => p.Parameter.Value.ExpertsWithGradient).OfType<bool[]>();

    private static void Clear(Model<EncodedText> model)
    {
        using var optimizer = model.Engine.CreateAdamW([new ParameterGroup([.. model.Parameters.All.Select(p => p.Parameter)], 1f)]);
        optimizer.ClearGradients();
    }

    private static float[] GradientOf(Parameter parameter)
    {
        var gradient = new float[parameter.Value.Length];
        parameter.Value.CopyGradientTo(gradient);
        return gradient;
    }

    /// <summary>Share of the tokens of each block that go to all experts.</summary>
    private sealed class Shares : IRoutingObserver
    {
        public Dictionary<int, double> OfBlock { get; } = [];

        public void OnRouted(RoutedLayer layer) =>
            OfBlock.Add(layer.Block, Enumerable.Range(0, layer.Plan.Tokens).Average(token => layer.Plan.IsBroadcast(token) ? 1.0 : 0));
    }
}
