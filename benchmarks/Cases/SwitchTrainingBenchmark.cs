using System.Text.Json;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// P5: a fine-tuning step of an encoder–decoder of Switch-Base-8's widths, with random weights, all of which learn, against the same in PyTorch,
/// whose experts are run one after the other. Both sides have their weights, gradients and moments in memory at once, so that there are
/// fewer blocks than the published model's 12 and 12.
/// </summary>
internal sealed class SwitchTrainingBenchmark : IBenchmark
{
    private const int Rows = 8;
    private const int SourceLength = 128;
    private const int TargetLength = 32;
    private const int Layers = 4;
    private static readonly int[] Sparse = [.. Enumerable.Range(0, Layers).Where(layer => layer % 2 == 1)];

    private static readonly SwitchTransformersConfig Config = new()
    {
        VocabularySize = 32128,
        Width = 768,
        HeadWidth = 64,
        DenseWidth = 3072,
        ExpertWidth = 3072,
        Layers = Layers,
        DecoderLayers = Layers,
        Heads = 12,
        Experts = 8,
        Router = Router.TokenChoice(1, normalizeWeights: false) with { ExpertCapacity = 64 },
        MoeAt = new BlockNumbers(Sparse),
        DecoderMoeAt = new BlockNumbers(Sparse),
        Positions = 1 << 20,
        Activation = Activation.Relu,
        NormEpsilon = 1e-6f,
        LoadBalancingCoefficient = 0.001f,
        RouterZLossCoefficient = 0f,
        Dropout = 0f,
        AttentionDropout = 0f,
    };

    public string Id => "P5";

    public string? Reference => PyTorch.Instance?.Version;

    public string? MissingReference => PyTorch.Instance is null ? "PyTorch (python3-torch) is not installed." : null;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var engine = new ManagedEngine(threads);
        using var steps = new WriterSteps(Create(engine), Examples(), new GeneratorTrainingConfig());
        var folder = Directory.CreateTempSubdirectory("moe-benchmarks-");
        try
        {
            var file = Write(folder.FullName, steps);
            var result = runner.Compare(
                PairedRunner.Timed(() => steps.Take()), repeats => PyTorch.Instance!.Run("switch/" + file, threads, repeats));
            yield return new Figure(
                Id,
                $"training step of Switch-Base-8's widths, {Layers} + {Layers} blocks, {Rows} rows of {SourceLength} and {TargetLength} tokens "
                + $"/ {PyTorch.Instance!.Version}",
                threads,
                result.Ratio,
                result.Spread,
                new Bound(0.8))
            {
                Seconds = result.First,
                ReferenceSeconds = result.Second,
                Work = new Work(6.0 * MultiplyAdds(steps.Model), 0),
            };
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>A forward pass's multiply–adds with weights: each token's with those that it is multiplied with.</summary>
    private static double MultiplyAdds(Model<EncodedText> model)
    {
        var sum = 0.0;
        foreach (var parameter in model.Parameters.All.Select(p => p.Parameter).Where(p => p.Value.Rank >= 2))
        {
            var weights = parameter.Value.Rank == 3 ? (double)parameter.Value.Length / parameter.Value.Shape[0] : parameter.Value.Length;
            var isOfDecoder = parameter.Name.StartsWith("decoder.", StringComparison.Ordinal) || parameter.Name == TokenIdEmbedding.WordsName;
            var readsSource = parameter.Name.Contains("crossAttention.keys", StringComparison.Ordinal)
                || parameter.Name.Contains("crossAttention.values", StringComparison.Ordinal);
            sum += weights * Rows * (isOfDecoder && !readsSource ? TargetLength : SourceLength);
        }

        return sum;
    }

    private static Model<EncodedText> Create(Engine engine)
    {
        var input = new PublishedTextInput(PublishedTextInputConfig.Of(Config), new NoTokenizer());
        var config = new ModelConfig { Input = input.Config, Encoder = Config, Head = new DecoderHeadConfig() };
        return new Model<EncodedText>(engine, config, input, new ParameterStore(engine, seed: 1) { HasDenseTables = true });
    }

    private static Example<EncodedText>[] Examples()
    {
        var random = new Random(4);
        return [.. Enumerable.Range(0, Rows).Select(_ => new Example<EncodedText>(
            new EncodedText(new TokenIds(Ids(SourceLength)) { Targets = Ids(TargetLength) }, 0, isEmpty: false), 0f))];

        int[] Ids(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(1, Config.VocabularySize))];
    }

    private static string Write(string folder, WriterSteps steps)
    {
        var (weights, batch) = (Path.Combine(folder, "model.safetensors"), Path.Combine(folder, "Batch.json"));
        using (var stream = File.Create(weights))
        {
            SafeTensorsWriter.Write(
                stream, PublishedTensors.Of(steps.Model.Parameters.All.Select(p => p.Parameter), Config.CreateRules(), ElementType.Float32));
        }

        File.WriteAllText(batch, JsonSerializer.Serialize(new
        {
            weights,
            source = steps.Rows.Select(row => row.Input.Ids!.Ids),
            labels = steps.Rows.Select(row => row.Input.Ids!.Targets),
            heads = Config.Heads,
            layers = Layers,
            experts = Config.Experts,
            capacity = Config.Router.ExpertCapacity,
            balancing = Config.LoadBalancingCoefficient,
            learningRate = steps.Config.Training.LearningRate,
            weightDecay = steps.Config.Training.WeightDecay,
            maxGradientNorm = steps.Config.Training.MaxGradientNorm,
            firstLoss = steps.Loss(),
        }));
        return batch;
    }

    /// <summary>Rows are made of ids here.</summary>
    private sealed class NoTokenizer : IPublishedTokenizer
    {
        public int VocabularySize => Config.VocabularySize;

        public IReadOnlyList<int> Encode(string text) => throw new NotSupportedException("Rows are ids.");

        public string? TextOf(int id) => null;

        public int SpecialTokens(bool isPair) => 0;

        public TokenIds WithSpecialTokens(ReadOnlySpan<int> first, ReadOnlySpan<int> second, bool isPair) => new([.. first, .. second]);
    }
}
