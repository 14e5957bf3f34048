using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Adapters;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Adapters beside the matrices of models of all families that write, on any engine.</summary>
public abstract class AdapterTests : IDisposable
{
    private const double Tolerance = 1e-4;
    private const string Gpt2 = """
        {
          "model_type": "gpt2", "vocab_size": 40, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "embd_pdrop": 0, "attn_pdrop": 0,
          "resid_pdrop": 0
        }
        """;

    private readonly Lazy<Engine> _engine;

    protected AdapterTests() => _engine = new Lazy<Engine>(CreateEngine);

    public static TheoryData<string> Families { get; } = [.. TinyCausalFamilies.All, "gpt2", "t5", "switch"];

    /// <summary>Whether an expert's products are the same to the bit in all operations.</summary>
    protected abstract bool IsExact { get; }

    private Engine Engine => _engine.Value;

    protected abstract Engine CreateEngine();

    public void Dispose()
    {
        if (_engine.IsValueCreated)
            _engine.Value.Dispose();
        GC.SuppressFinalize(this);
    }

    [SkippableTheory]
    [MemberData(nameof(Families))]
    public void AnAdaptedModelBeginsAsTheModelItself(string family)
    {
        var model = Create(family);
        foreach (var layers in KindsOf(model))
        {
            var adapted = model.WithAdapters(new LowRankAdaptation { Layers = layers }, seed: 5);
            foreach (var training in new[] { false, true })
            {
                var (expected, actual) = (Run(model, training), Run(adapted, training));
                if (IsExact)
                    Assert.Equal(expected, actual);
                else
                    Close(expected, actual, $"{family} {layers}");
            }
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Families))]
    public void AdaptersGiveWhatTheirProductsGiveWithinTheWeights(string family)
    {
        var model = Create(family);
        foreach (var layers in KindsOf(model))
        {
            var adapted = Adapt(model, new LowRankAdaptation { Layers = layers, Rank = 3, Alpha = 5 });
            var scores = Run(adapted, training: false);
            Assert.NotEqual(Run(model, training: false), scores);
            Close(Run(adapted.Merged(), training: false), scores, $"{family} {layers}");
            Assert.Null(adapted.Merged().Adaptation);
            Close(Run(model, training: false), Run(adapted.WithoutAdapters(), training: false), $"{family} without");
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Families))]
    public void GradientsOfAdaptersAreThoseOfTheWeightsTimesTheOther(string family)
    {
        var model = Create(family);
        foreach (var layers in KindsOf(model))
        {
            var adapted = Adapt(model, new LowRankAdaptation { Layers = layers, Rank = 3, Alpha = 5, ScalesByRoot = layers == AdaptedLayers.Attention });
            CompareGradients(adapted, adapted.Merged(), $"{family} {layers}");
        }
    }

    [SkippableTheory]
    [InlineData(WeightPrecision.AsStored)]
    [InlineData(WeightPrecision.Int8)]
    public void GradientsPassFrozenWeightsInOtherPrecisions(WeightPrecision precision)
    {
        using var folder = new TemporaryFolder();
        TinyCausal.Write(folder.Path, type: ElementType.BFloat16);
        var published = PublishedFolder.Open(folder.Path);
        var input = new PublishedTextInput(PublishedTextInputConfig.Of(published.Encoder), new LetterIds());
        Model<EncodedText> Load(WeightPrecision of) => published.Load(Engine, input, published.Encoder.WritingHead!, precision: of);
        var (coarse, full) = (Load(precision), Load(WeightPrecision.Float32));
        foreach (var (parameter, _) in full.Parameters.All)
            parameter.Value.CopyFrom(coarse.Values(parameter.Name));

        var adaptation = new LowRankAdaptation { Layers = AdaptedLayers.Everything };
        var (one, other) = (Adapt(coarse, adaptation), Adapt(full, adaptation));
        Close(Run(other, training: true), Run(one, training: true), "scores");
        var (expected, actual) = (Gradients(other), Gradients(one));
        Assert.Equal(expected.Keys.Order(), actual.Keys.Order());
        Assert.All(expected, pair => Close(pair.Value, actual[pair.Key], pair.Key));
    }

    [SkippableTheory]
    [MemberData(nameof(Families))]
    public void SavedAdaptersAreReadToTheBit(string family)
    {
        var model = Create(family);
        using var folder = new TemporaryFolder();
        foreach (var layers in KindsOf(model))
        {
            var adapted = Adapt(model, new LowRankAdaptation { Layers = layers, Rank = 2, Alpha = 3 });
            adapted.SaveAdapters(folder.Path);
            var read = model.WithAdapters(folder.Path);
            Assert.Equal(adapted.AllValues(), read.AllValues());
            Assert.Equal(Run(adapted, training: false), Run(read, training: false));
        }
    }

    [SkippableTheory]
    [InlineData("olmoe")]
    [InlineData("jetmoe")]
    [InlineData("deepseek_v3")]
    [InlineData("switch")]
    public void AnAdaptedModelWritesAndRoutesAsItsMergedWeights(string family)
    {
        var adapted = Adapt(Create(family), new LowRankAdaptation { Layers = AdaptedLayers.Everything });
        var merged = adapted.Merged();
        int[][] prompts = [[7, 8, 9, 5], [6, 5]];
        IEnumerable<int[]> Write(Model<EncodedText> model) =>
            new Generator(TextGenerator.View(model), new GenerationOptions { MaximumNewTokens = 8 }).Generate(prompts)
                .Select(answers => answers[0].Tokens.ToArray());
        Assert.Equal(Write(merged), Write(adapted));

        var router = Router.TokenChoice(family == "switch" ? 2 : 1);
        Close(Run(merged.WithRouting(router), training: false), Run(adapted.WithRouting(router), training: false), "rerouted");
        Assert.Equal(adapted.Adaptation, adapted.WithRouting(router).Adaptation);
        var workspace = new GlobalWorkspace(new TokenChoice(1, normalizeWeights: true), entropyThreshold: 0.5);
        Close(Run(merged.WithPolicy(workspace), training: false), Run(adapted.WithPolicy(workspace), training: false), "broadcast");
    }

    [SkippableFact]
    public void GradientsAgreeWithFiniteDifferences()
    {
        var adapted = Adapt(Create("llama"), new LowRankAdaptation { Rank = 2, Alpha = 3 });
        var gradients = Gradients(adapted);
        foreach (var (parameter, values) in Adapters(adapted).Select(p => (p, p.Value.ToArray())))
        {
            foreach (var place in new[] { 0, values.Length / 2, values.Length - 1 })
            {
                double At(float offset)
                {
                    var changed = (float[])values.Clone();
                    changed[place] += offset;
                    parameter.Value.CopyFrom(changed);
                    return Loss(adapted);
                }

                const float Step = 0.01f;
                var expected = (8 * (At(Step) - At(-Step)) - (At(2 * Step) - At(-2 * Step))) / (12 * Step);
                Assert.Equal(expected, gradients[parameter.Name][place], 2e-4 * Math.Max(1, Math.Abs(expected)));
                parameter.Value.CopyFrom(values);
            }
        }
    }

    [SkippableFact]
    public void DropoutDropsOnlyWhatAdaptersRead()
    {
        var model = Create("olmoe");
        var adapted = Adapt(model, new LowRankAdaptation { Dropout = 0.5f });
        var kept = Adapt(model, new LowRankAdaptation());
        Close(Run(kept, training: false), Run(adapted, training: false), "scoring");
        Assert.NotEqual(Run(kept, training: true), Run(adapted, training: true));
        Assert.Equal(Run(adapted, training: true), Run(adapted, training: true));
        var fresh = model.WithAdapters(new LowRankAdaptation { Dropout = 0.5f });
        Close(Run(model, training: true), Run(fresh, training: true), "adapters that add nothing");
    }

    private static IEnumerable<AdaptedLayers> KindsOf(Model<EncodedText> model)
    {
        yield return AdaptedLayers.Attention;
        if (model.Experts == 0 || model.Parameters.All.Any(p => p.Parameter.Name.Contains(".feedForward.", StringComparison.Ordinal)))
            yield return AdaptedLayers.Dense;
        if (model.Experts > 0)
        {
            yield return AdaptedLayers.Experts;
            yield return AdaptedLayers.Router;
        }

        yield return AdaptedLayers.Everything;
    }

    private Model<EncodedText> Create(string family) => TinyGenerators.Create(Engine, family switch
    {
        "gpt2" => Gpt2,
        "t5" => TinyGenerators.T5,
        "switch" => TinyGenerators.Switch,
        _ => TinyCausalFamilies.Config(family),
    });

    /// <summary>A model with adapters that add something.</summary>
    private static Model<EncodedText> Adapt(Model<EncodedText> model, LowRankAdaptation adaptation)
    {
        var adapted = model.WithAdapters(adaptation, seed: 3);
        foreach (var (number, parameter) in Adapters(adapted).Index())
        {
            var random = new Random(number);
            parameter.Value.CopyFrom([.. Enumerable.Range(0, parameter.Value.Length).Select(_ => random.NextSingle() - 0.5f)]);
        }

        return adapted;
    }

    private static IReadOnlyList<Parameter> Adapters(Model<EncodedText> model) => model.Parameters.Of(ParameterRole.Adapter);

    /// <summary>The scores of a few rows' tokens, and the loss.</summary>
    private static float[] Run(Model<EncodedText> model, bool training)
    {
        using var tape = model.Engine.BeginTape(training, seed: 4);
        var (scores, loss) = Forward(tape, model);
        return [.. scores.ToArray(), .. loss.ToArray()];
    }

    private static double Loss(Model<EncodedText> model)
    {
        using var tape = model.Engine.BeginTape(training: true);
        return Forward(tape, model).Loss.ToArray()[0];
    }

    private static (Tensor Scores, Tensor Loss) Forward(Tape tape, Model<EncodedText> model)
    {
        var rows = TinyGenerators.Rows(model, 5);
        var batch = model.Input.CreatePacker(model.Packing()).Pack([.. rows.Select(row => row.Input)]);
        var scores = model.Forward(tape, batch);
        var loss = model.Head.Loss(tape, scores, batch, new Targets(), new TrainingConfig { LabelSmoothing = 0f });
        foreach (var added in tape.AuxiliaryLosses)
            loss = tape.Add(loss, added);
        return (scores, loss);
    }

    private static Dictionary<string, float[]> Gradients(Model<EncodedText> model)
    {
        Parameter[] parameters = [.. model.Parameters.All.Select(p => p.Parameter).Where(p => !p.IsFrozen)];
        foreach (var parameter in parameters)
            parameter.IsFrozen = false;
        using (var tape = model.Engine.BeginTape(training: true))
            tape.Backward(Forward(tape, model).Loss);
        return parameters.ToDictionary(p => p.Name, p =>
        {
            var gradient = new float[p.Value.Length];
            p.Value.CopyGradientTo(gradient);
            return gradient;
        });
    }

    // dA = scaling·dW·Bᵀ, dB = scaling·Aᵀ·dW
    private static void CompareGradients(Model<EncodedText> adapted, Model<EncodedText> merged, string what)
    {
        var names = adapted.Adapted.Select(a => a.Parameter.Name).ToHashSet();
        foreach (var (parameter, _) in merged.Parameters.All.Where(p => names.Contains(p.Parameter.Name)))
            parameter.IsFrozen = false;
        var (ofWeights, ofAdapters) = (Gradients(merged), Gradients(adapted));
        Assert.Equal(Adapters(adapted).Select(p => p.Name).Order(), ofAdapters.Keys.Order());
        var expected = Adapters(adapted).ToDictionary(p => p.Name, p => new float[p.Value.Length]);
        foreach (var (parameter, adapter, _) in adapted.Adapted)
        {
            var (dW, shape) = (ofWeights[parameter.Name], parameter.Value.Shape.ToArray());
            foreach (var part in adapter.Parts)
            {
                var (a, b, rank) = (part.A.Value.ToArray(), part.B.Value.ToArray(), part.A.Value.Columns);
                var (dA, dB) = (expected[part.A.Name], expected[part.B.Name]);
                for (var row = 0; row < dW.Length / shape[^1]; row++)
                {
                    for (var column = 0; column < part.Columns; column++)
                    {
                        var gradient = part.Scaling * dW[row * shape[^1] + part.FirstColumn + column];
                        for (var r = 0; r < rank; r++)
                        {
                            var ofB = (row / shape[^2] * rank + r) * part.Columns + column;
                            dA[row * rank + r] += gradient * b[ofB];
                            dB[ofB] += gradient * a[row * rank + r];
                        }
                    }
                }
            }
        }

        Assert.All(expected, pair => Close(pair.Value, ofAdapters[pair.Key], $"{what}: {pair.Key}"));
        Assert.Contains(expected.Values, gradient => gradient.Any(value => value != 0f));
    }

    private static void Close(float[] expected, float[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        var allowed = Tolerance * expected.Max(Math.Abs) + 1e-6;
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= allowed, $"{what}[{i}]: {actual[i]}, not {expected[i]}");
    }
}
