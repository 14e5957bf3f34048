using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>What is descended while the last blocks of a published encoder are trained, and the states that they begin with.</summary>
public sealed class EncoderObjectiveTests : IDisposable
{
    private const int Rows = 12;
    private readonly ManagedEngine _engine = new(1);
    private readonly TinyEncoder _tiny = new();

    public void Dispose()
    {
        _engine.Dispose();
        _tiny.Dispose();
    }

    [Theory]
    [InlineData(FineTuningLoss.CrossEntropy, false, 1)]
    [InlineData(FineTuningLoss.CrossEntropy, true, 2)]
    [InlineData(FineTuningLoss.Contrast, false, 2)]
    [InlineData(FineTuningLoss.Contrast, true, 1)]
    public void GradientsAreThoseOfTheLossAndOfTheLastBlocksAlone(FineTuningLoss loss, bool bothEnds, int layers)
    {
        var model = Create(Windows(bothEnds), layers);
        var objective = Objective(model, loss, layers, kept: false);
        using var optimizer = FineTuningOptimizer.Create(_engine, model.Parameters, TinyEncoder.Layers, Plan(layers), freezeRouter: false);
        objective.BeginEpoch(1, state: null);
        int[] examples = [.. Enumerable.Range(0, objective.Examples)];
        LossOf(objective, examples);
        // what follows adds to them
        float[][] gradients = [.. model.Parameters.All.Select(p => GradientOf(p.Parameter))];

        var checkedValues = 0;
        foreach (var (gradient, (parameter, _)) in gradients.Zip(model.Parameters.All))
        {
            var trained = ClassifierHead.IsOfClasses(parameter.Name)
                || Enumerable.Range(TinyEncoder.Layers - layers, layers).Any(l => parameter.Name.StartsWith($"layers.{l}.", StringComparison.Ordinal));
            Assert.Equal(!trained, parameter.IsFrozen);
            if (!trained)
            {
                Assert.All(gradient, value => Assert.Equal(0f, value));
                continue;
            }

            var values = parameter.Value.ToArray();
            for (var i = 0; i < values.Length; i += Math.Max(1, values.Length / 3))
            {
                const float Step = 0.01f;
                var expected = (8 * (At(Step) - At(-Step)) - (At(2 * Step) - At(-2 * Step))) / (12 * Step);
                Assert.True(Math.Abs(expected - gradient[i]) < 2e-3 * Math.Max(1, Math.Abs(expected)), $"{parameter.Name}[{i}]: {gradient[i]}, {expected}");
                checkedValues += Math.Abs(expected) > 1e-3 ? 1 : 0;

                double At(float offset)
                {
                    var changed = (float[])values.Clone();
                    changed[i] += offset;
                    parameter.Value.CopyFrom(changed);
                    var result = LossOf(objective, examples);
                    parameter.Value.CopyFrom(values);
                    return result;
                }
            }
        }

        Assert.True(checkedValues > 10, $"{checkedValues} values have a gradient");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void KeptStatesAndTheRemainingBlocksGiveWhatTheWholeEncoderDoes(bool bothEnds)
    {
        var model = _tiny.Pooled(_engine, Windows(bothEnds));
        EncodedText[] rows = [.. Texts().Select(row => model.Input.Encode(row.Text))];
        var kept = new FrozenPass<EncodedText>(model).Run(rows, keptAfter: 1).Kept!;
        int[] chosen = [5, 0, 5, 11];
        using var tape = _engine.BeginTape(training: false);
        var batch = model.Input.CreatePacker(model.Packing()).Pack([.. chosen.Select(row => rows[row])]);

        var whole = model.Encode(tape, batch);
        var rest = model.Blocks.Forward(new(tape, batch.Layout), kept.Of(tape, chosen), first: kept.Blocks);

        Assert.Equal(1, kept.Blocks);
        Assert.All(whole.After(1).ToArray().Zip(rest.After(1).ToArray()), pair => Assert.Equal(pair.First, pair.Second, Math.Abs(pair.First) / 256));
        Assert.NotEqual(whole.Last.ToArray(), rest.Last.ToArray());
        Assert.All(whole.Last.ToArray().Zip(rest.Last.ToArray()), pair => Assert.Equal(pair.First, pair.Second, 0.02f));
    }

    [Theory]
    [InlineData(FineTuningLoss.CrossEntropy, false)]
    [InlineData(FineTuningLoss.Contrast, true)]
    public void TrainingFromKeptStatesIsTrainingFromComputedOnes(FineTuningLoss loss, bool bothEnds)
    {
        double[] Losses(bool kept)
        {
            var model = Create(Windows(bothEnds), 1);
            var objective = Objective(model, loss, 1, kept);
            using var optimizer = FineTuningOptimizer.Create(_engine, model.Parameters, TinyEncoder.Layers, Plan(1), freezeRouter: false);
            objective.BeginEpoch(1, state: null);
            int[] examples = [.. Enumerable.Range(0, objective.Examples)];
            return [.. Enumerable.Range(0, 30).Select(_ =>
            {
                var result = LossOf(objective, examples);
                optimizer.Step(1f);
                return result;
            })];
        }

        var (kept, computed) = (Losses(kept: true), Losses(kept: false));

        Assert.All(kept.Zip(computed), pair => Assert.Equal(pair.First, pair.Second, 0.05));
        Assert.True(kept[^1] < kept[0] - 0.1, string.Join(' ', kept));
    }

    [Fact]
    public void EachRowOfAContrastHasAnotherOfItsClassBeside()
    {
        var model = Create(TextWindows.Whole, 1);
        var rows = Texts();
        // two classes of rows, and one of a single row
        Example<EncodedText>[] examples = [.. rows.Select((row, i) => new Example<EncodedText>(model.Input.Encode(row.Text), i == 0 ? 2 : i % 2))];
        var objective = new ContrastObjective<EncodedText>(
            model, new TuningRows<EncodedText>(examples, [.. Enumerable.Repeat(1f, Rows)], null), [.. Enumerable.Range(0, Rows)], [], 2, new TrainingConfig());

        // 5 and 6 rows, and one: three pairs of each, and one alone
        Assert.Equal(3 + 3 + 1, objective.Examples);
        objective.BeginEpoch(1, state: null);
        objective.Prepare([.. Enumerable.Range(0, 7)], new Random(1));
        Assert.True(double.IsFinite(objective.Accumulate(1f).Read()));
    }

    private static TextWindows Windows(bool bothEnds) => bothEnds ? TextWindows.BothEnds : TextWindows.Whole;

    private Model<EncodedText> Create(TextWindows windows, int layers)
    {
        var model = _tiny.Pooled(_engine, windows, layers + 1);
        var head = (FeatureHead)model.Head;
        head.Layer = new Probe(head.Width, [.. TestNumbers.Normal(1, head.Width * 3).Select(x => 0.3f * x)], TestNumbers.Normal(2, 3));
        return model;
    }

    private static EncoderObjective<EncodedText> Objective(Model<EncodedText> model, FineTuningLoss loss, int layers, bool kept)
    {
        Example<EncodedText>[] examples = [.. Texts().Select(row => new Example<EncodedText>(model.Input.Encode(row.Text), row.Label))];
        var first = TinyEncoder.Layers - layers;
        var states = kept ? new FrozenPass<EncodedText>(model).Run([.. examples.Select(row => row.Input)], first).Kept : null;
        var rows = new TuningRows<EncodedText>(examples, [.. Enumerable.Range(0, Rows).Select(i => 0.5f + i % 3)], states);
        int[] numbers = [.. Enumerable.Range(0, Rows)];
        return loss == FineTuningLoss.Contrast
            ? new ContrastObjective<EncodedText>(model, rows, numbers, [], first, new TrainingConfig())
            : new ClassObjective<EncodedText>(model, rows, numbers, [], first, new TrainingConfig());
    }

    private static float[] GradientOf(Parameter parameter)
    {
        var gradient = new float[parameter.Value.Length];
        parameter.Value.CopyGradientTo(gradient);
        return gradient;
    }

    private static double LossOf(EncoderObjective<EncodedText> objective, int[] examples)
    {
        objective.Prepare(examples, new Random(1));
        return objective.Accumulate(1f).Read();
    }

    private static List<(string Text, int Label)> Texts() => TinyEncoder.Texts(Rows, longest: 14);

    private static FineTuningPlan Plan(int layers) => new(FineTuningLoss.CrossEntropy, layers, 1, 8, 3e-2f, 3e-2f, 0.8f, 0.01f);
}
