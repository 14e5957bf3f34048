using System.Text.Json;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>
/// Unified routing without training on published causal mixtures, and the embeddings that are made of states and router logits, on any engine:
/// every folder <c>papers/usmoe-*</c> of the goldens that holds such a model.
/// </summary>
[Trait("Category", "Goldens")]
public abstract class GoldenUnifiedModelTests
{
    private const string NoFolder = "";

    public static TheoryData<string> Folders { get; } = new(
        Goldens.Folders("papers").Where(IsCausal).Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(NoFolder));

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void AgreesWithTheReleasedProgram(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of the papers' models: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "papers", name);
        using var golden = GoldenModel.Open(path);
        using var weights = TensorFiles.Open(path);
        using var engine = CreateEngine();
        var model = new GoldenUnifiedModel(PublishedFolder.Open(path), golden, weights, engine);
        Assert.All(golden.Json.GetProperty("cases").EnumerateObject(), test => model.Compare(test.Name, test.Value));
    }

    /// <summary>Embeddings of MoEE: last state and router logits of all mixtures, as they are or each component standardised.</summary>
    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void EmbedsAsTheReleasedProgram(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of the papers' models: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "papers", name);
        using var golden = GoldenModel.Open(path);
        using var engine = CreateEngine();
        var moee = golden.Json.GetProperty("moee");
        foreach (var router in new[] { "usmoe", "baseline" })
        {
            foreach (var template in new[] { "none", "prompteol", "instruction" })
            {
                if (!moee.TryGetProperty("prompts." + template, out var json))
                    continue;
                string[] texts = [.. json.EnumerateArray().Select(text => text.GetString()!)];
                CompareIds(engine, path, golden, template, texts);
                var values = new Embedded(engine, path, router, texts, standardize: false);
                var standardized = new Embedded(engine, path, router, texts, standardize: true);
                Close($"moee.{router}.{template}.HS.embeddings", values.States);
                Close($"moee.{router}.{template}.HS.default", values.States);
                Close($"moee.{router}.{template}.HS.moe_rw", values.Routers);
                Close($"moee.{router}.{template}.RW.embeddings", standardized.Routers);
                Close($"moee.{router}.{template}.MoEE.embeddings", standardized.All);
                Close($"moee.{router}.{template}.MoEE.default", standardized.States);
                Close($"moee.{router}.{template}.MoEE.moe_rw", standardized.Routers);
                Close($"moee.{router}.{template}.embeddings", values.States);
            }
        }

        if (golden.Tensor("moee.usmoe.none.batches-of-3.embeddings") is var (expected, shape))
        {
            // the program standardises each batch by itself; of a batch of one nothing is left
            string[] texts = [.. moee.GetProperty("prompts.none").EnumerateArray().Select(text => text.GetString()!)];
            var batches = texts.Take(shape[0] - 1).Chunk(3).Select(batch => new Embedded(engine, path, "usmoe", batch, standardize: true).All);
            GoldenNumbers.Close(expected, [.. batches.SelectMany(b => b), .. new float[shape[1]]], $"{name} batches-of-3");
        }

        void Close(string tensor, float[] actual)
        {
            if (golden.Tensor(tensor) is var (expected, _))
                GoldenNumbers.Close(expected, actual, $"{name} {tensor}");
        }
    }

    private static void CompareIds(Engine engine, string path, GoldenModel golden, string template, string[] texts)
    {
        if (golden.Tensor($"moee.{template}.input_ids") is not var (expected, shape))
            return;
        var embedder = TextEmbedder.Load(engine, path);
        for (var row = 0; row < texts.Length; row++)
        {
            var ids = embedder.Encode(texts[row]).Ids!.Ids;
            var ofRow = expected.AsSpan(row * shape[1], shape[1]).ToArray().Select(id => (int)id).ToArray();
            Assert.Equal(ofRow[^ids.Length..], ids);
            Assert.All(ofRow[..^ids.Length], id => Assert.Equal(0, id));
        }
    }

    private static bool IsCausal(string folder) => File.Exists(Path.Combine(folder, "config.json"))
        && File.Exists(Path.Combine(folder, "tokenizer.json"))
        && PublishedArchitectures.KnowsCausal(PublishedFolder.ReadConfig(Path.Combine(folder, "config.json")).Text("model_type", ""));

    /// <summary>What texts become in one batch: states of the last token and router logits of all mixtures.</summary>
    private sealed class Embedded
    {
        private readonly int _width;
        private readonly int _states;

        public Embedded(Engine engine, string path, string router, string[] texts, bool standardize)
        {
            var config = PublishedFolder.Open(path).Encoder;
            // MoEE's own DeepSeek tells probabilities
            var isSoftmax = router == "baseline" && config is DeepSeekConfig;
            var embedder = TextEmbedder.Load(engine, path, new EmbeddingSettings
            {
                RouterWeights = true,
                RouterLogits = !isSoftmax,
                Standardize = standardize,
                Router = router == "baseline" ? null : Router.Unified(config.Router.ExpertsPerToken) with { MaskPadding = false },
            });
            if (standardize)
                embedder.FitStandardization([texts]);
            (_width, _states) = (embedder.Width, config.Width);
            All = new float[texts.Length * _width];
            embedder.Embed(texts, All);
        }

        public float[] All { get; }

        public float[] States => Part(0, _states);

        public float[] Routers => Part(_states, _width);

        private float[] Part(int from, int to) => [.. All.Where((_, i) => i % _width >= from && i % _width < to)];
    }
}
