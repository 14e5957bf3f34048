using System.Text.Json;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Onnx;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Onnx;

/// <summary>Published encoders and embedders, as small models of each architecture.</summary>
public sealed class PublishedExportTests : IDisposable
{
    private const string NoFolder = "";
    private const int Rows = 1000;

    private readonly ManagedEngine _engine = new(2);
    private readonly TemporaryFolder _folder = new();

    /// <summary>Architectures that read texts; the causal ones as embedders read them.</summary>
    public static TheoryData<string> Encoders { get; } = Folders(json =>
        PublishedArchitectures.Knows(json.Text("model_type", "")) || PublishedArchitectures.KnowsCausal(json.Text("model_type", "")));

    public static TheoryData<string> Classifiers { get; } = Folders(json =>
        json.First("architectures") is { } name && name.EndsWith("ForSequenceClassification", StringComparison.Ordinal));

    public static TheoryData<string> Embedders { get; } = new(Goldens.Folders("models")
        .Where(folder => Path.GetFileName(folder).StartsWith("st-", StringComparison.Ordinal))
        .Where(folder => File.Exists(Path.Combine(folder, "tokenizer.json")))
        .Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(NoFolder));

    public void Dispose()
    {
        _folder.Dispose();
        _engine.Dispose();
    }

    [SkippableTheory]
    [MemberData(nameof(Encoders))]
    public void Mean_of_the_states(string name)
    {
        var folder = Open(name);
        var model = folder.Load(_engine, Input(folder), new VectorHeadConfig(), change: config => config.MoeLayers > 0
            ? config with { Router = config.Router with { ExpertCapacity = null } }
            : config);
        if (name is "gpt-oss" or "jetmoe")
            Assert.Throws<NotSupportedException>(() => OnnxExport.Save(model, _folder["model.onnx"]));
        else
            AssertAgrees(model, "Embedding");
    }

    [SkippableTheory]
    [MemberData(nameof(Classifiers))]
    public void Published_classes(string name)
    {
        var folder = Open(name);
        AssertAgrees(folder.Load(_engine, Input(folder), PublishedClassesHeadConfig.Of(folder)), "Score");
    }

    [SkippableTheory]
    [InlineData("bert")]
    [InlineData("nomic-bert-moe")]
    public void Classes_of_pooled_layers(string name)
    {
        var folder = Open(name);
        var head = new PooledClassesHeadConfig { Classes = 4, Layers = 2, ReadsFirstToken = true };
        AssertAgrees(folder.Load(_engine, Input(folder), head), "Score");
    }

    [SkippableTheory]
    [InlineData("bert")]
    [InlineData("mpnet")]
    [InlineData("nomic-bert-moe")]
    public void Both_ends_of_texts(string name)
    {
        var folder = Open(name);
        var input = new PublishedTextInput(
            PublishedTextInputConfig.Of(folder.Encoder, 9) with { Windows = TextWindows.BothEnds }, new Ids(folder.Encoder.VocabularySize));
        var model = folder.Load(_engine, input, new PooledClassesHeadConfig { Classes = 3, Layers = 2, Windows = 2 });
        AssertAgrees(model, "Score", windows: 2);
    }

    [SkippableFact]
    public void Pairs_whose_states_are_aligned_are_refused()
    {
        var folder = Open("bert");
        var input = new PublishedTextInput(
            PublishedTextInputConfig.Of(folder.Encoder, 9) with { Windows = TextWindows.Apart, Linear = LinearInput.Words },
            new Ids(folder.Encoder.VocabularySize));
        var model = folder.Load(
            _engine, input, new PairClassesHeadConfig { Classes = 3, Layers = 1, VocabularySize = folder.Encoder.VocabularySize });
        var error = Assert.Throws<NotSupportedException>(() => OnnxExport.Save(model, _folder["model.onnx"]));
        Assert.Contains("aligns", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Models_that_write_are_refused()
    {
        var folder = Open("mixtral");
        var model = folder.Load(_engine, Input(folder), new NextTokenHeadConfig());
        var error = Assert.Throws<NotSupportedException>(() => OnnxExport.Save(model, _folder["model.onnx"]));
        Assert.Contains("writes text", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void An_upcycled_mixture()
    {
        var folder = Open("bert");
        var upcycling = Upcycling.Slices(4, router: Router.Unified(1.5));
        AssertAgrees(folder.Load(_engine, Input(folder), new VectorHeadConfig(), upcycling: upcycling), "Embedding");
    }

    [SkippableFact]
    public void States_of_several_layers_with_the_routers_weights()
    {
        var folder = Open("nomic-bert-moe");
        var head = new EmbeddingHeadConfig
        {
            Pooling = [TextPooling.WeightedMean, TextPooling.FirstToken],
            Layers = [0, 1],
            HasRouterWeights = true,
            Modules = [new StandardizeModule(), new NormalizeModule()],
        };
        AssertAgrees(folder.Load(_engine, Input(folder), head), "Embedding");
    }

    [SkippableFact]
    public void Adapters_are_merged()
    {
        var folder = Open("nomic-bert-moe");
        var plain = folder.Load(_engine, Input(folder), new VectorHeadConfig());
        var adapted = plain.WithAdapters(new LowRankAdaptation(), seed: 5);
        var random = new Random(3);
        foreach (var parameter in adapted.Parameters.Of(ParameterRole.Adapter))
            parameter.Value.CopyFrom([.. Enumerable.Range(0, parameter.Value.Length).Select(_ => random.NextSingle() - 0.5f)]);
        AssertAgrees(adapted, "Embedding");
    }

    [SkippableFact]
    public void Pairs_with_types()
    {
        var folder = Open("bert");
        AssertAgrees(folder.Load(_engine, Input(folder), new PooledClassesHeadConfig { Classes = 4, Layers = 1 }), "Score", isPair: true);
    }

    [SkippableTheory]
    [MemberData(nameof(Embedders))]
    public void Embeddings(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of sentence-transformers: set MLNETMOE_GOLDENS to their folder.");
        var embedder = TextEmbedder.Load(_engine, Path.Combine(Goldens.Root!, "models", name));
        var rows = Texts(name).Select(embedder.Encode).ToList();
        var embeddings = TextModels.Run(embedder.Model, _folder["model.onnx"], rows, "Embedding");
        OnnxFile.Close(embedder.Model.Scores(rows), embeddings, embedder.Width);
    }

    private void AssertAgrees(Model<EncodedText> model, string output, bool isPair = false, int windows = 1)
    {
        var random = new Random(7);
        var input = (PublishedTextInput)model.Input;
        var known = Enumerable.Range(0, input.Config.VocabularySize).Where(id => id != input.Config.PaddingId).ToArray();
        var rows = Enumerable.Range(0, Rows).Select(_ =>
        {
            var ids = random.GetItems(known, random.Next(windows, Math.Min(14, input.MaximumTokens) + 1));
            // padding among the tokens, as of a text that spells it, counts in no position of some architectures
            if (random.Next(10) == 0)
                ids[random.Next(ids.Length)] = input.Config.PaddingId;
            var types = isPair ? ids.Select((_, i) => i > ids.Length / 2 ? 1 : 0).ToArray() : null;
            return new EncodedText(new TokenIds(ids, types, windows == 1 ? 0 : random.Next(1, ids.Length)), 0, isEmpty: false, isPair);
        }).ToList();
        // classes that have not learned have zeros
        foreach (var (parameter, _) in model.Parameters.All.Where(p => p.Parameter.Name == "head.weight"))
            parameter.Value.CopyFrom([.. Enumerable.Range(0, parameter.Value.Length).Select(_ => random.NextSingle() - 0.5f)]);
        var scores = model.Scores(rows);
        Assert.True(scores.Max() - scores.Min() > 1e-3, "All scores are alike.");
        var actual = TextModels.Run(model, _folder["model.onnx"], rows, output, isPair: isPair);
        OnnxFile.Close(model, rows, scores, actual, model.Outputs, fewRows: 1);
    }

    private static List<string> Texts(string name)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(Goldens.Root!, "models", name, "expected.json")));
        var texts = json.RootElement.GetProperty("cases").EnumerateObject()
            .SelectMany(test => test.Value.GetProperty("texts").EnumerateArray().Select(text => text.GetString()!)).Distinct().ToList();
        return texts;
    }

    private static PublishedTextInput Input(PublishedFolder folder) => folder.CreateInput(new Ids(folder.Encoder.VocabularySize));

    private static PublishedFolder Open(string name)
    {
        Skip.If(
            name == NoFolder || Goldens.Root is null, "There are no goldens of published models: set MLNETMOE_GOLDENS to their folder.");
        return PublishedFolder.Open(Path.Combine(Goldens.Root!, "models", name));
    }

    private static TheoryData<string> Folders(Predicate<PublishedSettings> isOne) => new(Goldens.Folders("models")
        // texts of their own; a bias of a head that is not there
        .Where(folder => !Path.GetFileName(folder).StartsWith("st-", StringComparison.Ordinal) && Path.GetFileName(folder) != "phimoe")
        .Where(folder => isOne(PublishedFolder.ReadConfig(Path.Combine(folder, "config.json"))))
        .Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(NoFolder));

    /// <summary>A tokenizer of which only the ids are there.</summary>
    private sealed class Ids(int vocabulary) : IPublishedTokenizer
    {
        public int VocabularySize => vocabulary;

        public int SpecialTokens(bool isPair) => 0;

        public TokenIds WithSpecialTokens(ReadOnlySpan<int> first, ReadOnlySpan<int> second, bool isPair) => new([.. first, .. second]);

        public IReadOnlyList<int> Encode(string text) => [];
    }
}
