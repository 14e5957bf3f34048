using System.Text.Json;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.TextGeneration;

public sealed class GenerateTextTests : IDisposable
{
    private static readonly string[] Prompts = ["rain falls", "a", "the long river bends twice", "sun"];
    private static readonly GenerateTextOptions Short = new() { Generation = new GenerationOptions { MaximumNewTokens = 6 } };
    private readonly MLContext _ml = new(seed: 1);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ATableGetsAnAnswerForEachRow()
    {
        using var transformer = Fit(Short with { TokenCountColumnName = "Count", LogProbabilityColumnName = "LogProbability", RouterEntropyColumnName = "Entropy" });
        var rows = Rows(transformer, Prompts);
        Assert.Equal(transformer.Generate(Prompts).Select(a => a.Text), rows.Select(r => r.Answer));
        Assert.All(rows, row =>
        {
            Assert.InRange(row.Count, 1, 6);
            Assert.InRange(row.LogProbability, -6 * Math.Log(1e9), 0);
            Assert.InRange(row.Entropy, 0, Math.Log(8) + 1e-3);
        });
    }

    [Fact]
    public void TheLogProbabilityIsThatOfTheTextReadAsAWhole()
    {
        using var transformer = Fit(Short);
        var answer = transformer.Generate(["rain"])[0];
        using var held = (ModelLease<Model<EncodedText>>)transformer.Hold();
        int[] prompt = transformer.Generator.Encode("rain").Ids!.Ids;
        var all = TextScoring.LogProbabilities(held.Model, [.. prompt, .. answer.Tokens]);
        Assert.Equal(answer.LogProbability, all[(prompt.Length - 1)..].Sum(), 1e-4);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(16)]
    public void AnswersDoNotDependOnWhatIsAnsweredBesides(int batchSize)
    {
        var sampled = Short with { Generation = new GenerationOptions { MaximumNewTokens = 8, Sample = true, Seed = 5 }, BatchSize = batchSize };
        using var transformer = Fit(sampled);
        var together = transformer.Generate(Prompts).Select(a => a.Text);
        Assert.Equal(Prompts.Select(p => transformer.Generate([p])[0].Text), together);
        Assert.Equal(Rows(transformer, [.. Prompts.Reverse()]).Select(r => r.Answer).Reverse(), together);
    }

    [Fact]
    public void APredictionEngineAnswersAsATableDoes()
    {
        using var transformer = Fit(Short);
        using var engine = _ml.Model.CreatePredictionEngine<Prompt, Answer>(transformer, new PredictionEngineOptions { OwnsTransformer = false });
        Assert.Equal(Rows(transformer, Prompts).Select(r => r.Answer), Prompts.Select(p => engine.Predict(new Prompt { Text = p }).Answer1));
    }

    [Theory]
    [InlineData(false, ElementType.Float32)]
    [InlineData(false, ElementType.BFloat16)]
    [InlineData(true, ElementType.BFloat16)]
    public void ALoadedModelWritesTheSame(bool keepsWeightsInFolder, ElementType type)
    {
        using var transformer = Fit(Short with { KeepsWeightsInFolder = keepsWeightsInFolder, Router = Router.Unified(1.5, 0.3, RoutingScope.Prefix) }, type: type);
        var path = Path.Combine(_folder.Path, "model.zip");
        _ml.Model.Save(transformer, Table([]).Schema, path);
        using var loaded = (MoeTextGenerationTransformer)_ml.Model.Load(path, out _);
        Assert.Equal(Rows(transformer, Prompts), Rows(loaded, Prompts));
        Assert.Equal(transformer.Router, loaded.Router);
        Assert.Equal(transformer.Generation, loaded.Generation);
        Assert.Equal(transformer.ModelName, loaded.ModelName);
    }

    [Theory]
    [InlineData(ElementType.Float32, WeightPrecision.Int8)]
    [InlineData(ElementType.BFloat16, WeightPrecision.Int8)]
    [InlineData(ElementType.BFloat16, WeightPrecision.AsStored)]
    public void AZipHoldsEachWeightAsItWas(ElementType type, WeightPrecision weights)
    {
        var folder = TinyCausal.Write(Path.Combine(_folder.Path, "mixed"), type: type, routers: ElementType.Float32);
        using var transformer = Estimator(folder, Short with { Weights = weights, Device = MoeDevice.Cpu }).Fit(Table([]));
        var path = Path.Combine(_folder.Path, "model.zip");
        _ml.Model.Save(transformer, Table([]).Schema, path);

        using var loaded = (MoeTextGenerationTransformer)_ml.Model.Load(path, out _);

        Assert.Equal(Values(transformer), Values(loaded));
        Assert.Equal(Rows(transformer, Prompts), Rows(loaded, Prompts));

        static IEnumerable<(string Name, ElementType Type, string Values)> Values(MoeTextGenerationTransformer one)
        {
            using var hold = one.Hold();
            return [.. ((ModelLease<Model<EncodedText>>)hold).Model.Parameters.All.Select(p => p.Parameter).Select(
                p => (p.Name, p.Value.ElementType, string.Join(' ', p.Value.ToArray().Select(BitConverter.SingleToInt32Bits))))];
        }
    }

    [Fact]
    public void AModelInAFolderThatHasChangedIsRefused()
    {
        using var transformer = Fit(Short with { KeepsWeightsInFolder = true });
        var path = Path.Combine(_folder.Path, "model.zip");
        _ml.Model.Save(transformer, Table([]).Schema, path);
        using (var stream = File.OpenWrite(Path.Combine(_folder.Path, "model", "model.safetensors")))
        {
            stream.Position = stream.Length - 4;
            stream.Write([1, 2, 3, 4]);
        }

        var failure = Assert.ThrowsAny<Exception>(() => _ml.Model.Load(path, out _));
        Assert.Contains("not those that the model was saved with", failure.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void AFolderIsLookedForBesideTheZipAndWhereTheEnvironmentSays()
    {
        using var transformer = Fit(Short with { KeepsWeightsInFolder = true });
        var path = Path.Combine(_folder.Path, "zips", "model.zip");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        _ml.Model.Save(transformer, Table([]).Schema, path);
        var zip = File.ReadAllBytes(path);
        var content = Zip.Text(zip, "Generator.json");
        var named = JsonEncodedText.Encode(transformer.ModelName).ToString();
        Assert.Contains(named, content, StringComparison.Ordinal);
        string relative = $"only here {Guid.NewGuid():N}/model";
        Write(relative);

        var failure = Assert.ThrowsAny<Exception>(() => Load()).ToString();
        Assert.Contains(Path.GetFullPath(relative), failure, StringComparison.Ordinal);
        Assert.Contains(Path.GetFullPath(relative, Path.GetDirectoryName(path)!), failure, StringComparison.Ordinal);
        Assert.Contains("MLNETMOE_MODELS", failure, StringComparison.Ordinal);

        var beside = Path.Combine(_folder.Path, "zips", relative);
        Directory.CreateDirectory(Path.GetDirectoryName(beside)!);
        Directory.Move(Path.Combine(_folder.Path, "model"), beside);
        using (var loaded = Load())
        {
            Assert.Equal(Rows(transformer, Prompts), Rows(loaded, Prompts));
            // saved again, the zip finds it without help
            _ml.Model.Save(loaded, Table([]).Schema, path);
            using var again = (MoeTextGenerationTransformer)_ml.Model.Load(path, out _);
            Assert.Equal(Rows(transformer, Prompts), Rows(again, Prompts));
        }

        Environment.SetEnvironmentVariable("MLNETMOE_MODELS", Path.GetDirectoryName(beside));
        try
        {
            Write("nowhere");
            Assert.Contains(Path.Combine(Path.GetDirectoryName(beside)!, "nowhere"), Assert.ThrowsAny<Exception>(() => Load()).ToString(), StringComparison.Ordinal);
            Write("model");
            using var loaded = (MoeTextGenerationTransformer)_ml.Model.Load(path, out _);
            Assert.Equal(Rows(transformer, Prompts), Rows(loaded, Prompts));
            Write(Path.Combine(_folder.Path, "gone", "model"));
            using var moved = (MoeTextGenerationTransformer)_ml.Model.Load(path, out _);
            Assert.Equal(Rows(transformer, Prompts), Rows(moved, Prompts));
        }
        finally
        {
            Environment.SetEnvironmentVariable("MLNETMOE_MODELS", null);
        }

        MoeTextGenerationTransformer Load() =>
            (MoeTextGenerationTransformer)ReferredFolder.Beside(path, () => _ml.Model.Load(path, out _));

        void Write(string name) => File.WriteAllBytes(path, Zip.Forge(
            zip, "Generator.json", content.Replace(named, JsonEncodedText.Encode(name).ToString(), StringComparison.Ordinal)));
    }

    [Fact]
    public async Task AStreamedAnswerIsTheWholeAnswerInPieces()
    {
        using var transformer = Fit(Short);
        var pieces = new List<string>();
        await foreach (var piece in transformer.GenerateStreaming("rain falls"))
            pieces.Add(piece);
        Assert.Equal(transformer.Generate(["rain falls"])[0].Text, string.Concat(pieces));
    }

    [Fact]
    public void ALookAheadIsRefusedUnlessItIsAllowed()
    {
        using var transformer = Fit(Short);
        var refused = Assert.Throws<ArgumentException>(() => transformer.WithRouting(Router.ExpertChoice(2)));
        Assert.Contains(nameof(RoutingScope.Prefix), refused.Message, StringComparison.Ordinal);
        using var allowed = transformer.WithRouting(Router.ExpertChoice(2) with { AllowsLookahead = true });
        using var unified = transformer.WithRouting(Router.Unified(1.5, 0.3));
        Assert.Equal(RoutingScope.Prefix, unified.Router.Scope);
        using var prefix = transformer.WithRouting(Router.Unified(1.5, 0.3, RoutingScope.Prefix));
        Assert.NotEqual(transformer.Generate(Prompts).Select(a => a.LogProbability), prefix.Generate(Prompts).Select(a => a.LogProbability));
    }

    [Fact]
    public void PerplexityIsTheMeanOfWhatEachTokenIsTold()
    {
        using var transformer = Fit(Short);
        var score = transformer.Evaluate(Table(["rain", "sun"]));
        Assert.Equal(5, score.Tokens);
        Assert.Equal(7, score.Characters);
        Assert.Equal(2, score.ExpertsPerToken);
        Assert.Equal(Math.Exp(-score.LogProbability / 5), score.Perplexity, 1e-9);
        Assert.Equal(score.BitsPerCharacter * 7 * Math.Log(2), -score.LogProbability, 1e-9);
        // stretches of two tokens: of four tokens two are told, of three one
        Assert.Equal(3, transformer.Evaluate(Table(["rain", "sun"]), maximumTokens: 2).Tokens);
        Assert.Throws<InvalidOperationException>(() => transformer.Evaluate(Table(["a", ""])));
    }

    [Fact]
    public void ACharacterIsACodePoint()
    {
        // an emoji is one character, of two UTF-16 units
        using var transformer = Fit(Short);
        var score = transformer.Evaluate(Table(["rain \U0001F327", "sun"]));
        Assert.Equal(6 + 3, score.Characters);
        var answered = _ml.Data.LoadFromEnumerable([new { Text = "rain", Answer = "a\U0001F327b" }]);
        Assert.Equal(3, transformer.Evaluate(answered, "Answer").Characters);
        Assert.Equal(2, TextScore.CharactersOf("a\uD83C"));
    }

    [Fact]
    public void CalibratedRoutersCostNoMoreAndTheBestIsFirst()
    {
        using var transformer = Fit(Short);
        var table = Table(["the rain falls on the river", "and the sun comes back at noon", "the storm bends trees by the road"]);
        var routers = transformer.CalibrateRouting(table, expertsPerToken: 1.5);
        Assert.Contains(routers, r => r.Router is { Kind: RouterKind.TokenChoice, SkipThreshold: > 0 });
        Assert.Contains(routers, r => r.Router is { Kind: RouterKind.Unified, Scope: RoutingScope.Prefix });
        Assert.All(routers, r => Assert.InRange(r.Score.ExpertsPerToken, 0.5, 1.5 * 1.01));
        Assert.Equal(routers.Select(r => r.Score.Loss).Order(), routers.Select(r => r.Score.Loss));
        using var best = transformer.WithRouting(routers[0].Router);
        Assert.Equal(routers[0].Score, best.Evaluate(table));
        // the model's own router is among those that may cost as much
        Assert.Contains(transformer.CalibrateRouting(table, 2), r => r.Router == transformer.Router);
        Assert.Throws<ArgumentOutOfRangeException>(() => transformer.CalibrateRouting(table, 0.5));
    }

    [Fact]
    public void RoutersOfPromptsAreReported()
    {
        using var transformer = Fit(Short);
        var report = transformer.ReportRouting(Table(Prompts));
        Assert.Equal(2, report.Layers.Count);
    }

    [Fact]
    public void ADenseModelHasNothingToRoute()
    {
        using var transformer = Fit(Short, TinyCausal.Llama);
        Assert.Throws<InvalidOperationException>(() => transformer.WithRouting(Router.TokenChoice(1)));
        Assert.Throws<InvalidOperationException>(() => transformer.CalibrateRouting(Table(["rain"]), 1));
        Assert.Throws<InvalidOperationException>(() => Fit(Short with { RouterEntropyColumnName = "Entropy" }, TinyCausal.Llama));
        Assert.Equal(0, transformer.Evaluate(Table(["rain"])).ExpertsPerToken);
    }

    [Fact]
    public void APromptThatDoesNotFitIsNamed()
    {
        using var transformer = Fit(Short);
        var failure = Assert.Throws<ArgumentException>(() => transformer.Generate([new string('a', 64)]));
        Assert.Contains("64 tokens", failure.Message, StringComparison.Ordinal);
        using var cut = Fit(Short with { MaximumPromptTokens = 10 });
        Assert.Equal(cut.Generate([new string('b', 10)])[0].Tokens, cut.Generate(["aaaa" + new string('b', 10)])[0].Tokens);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    public void APromptThatDoesNotFitIsNamedBeforeAnyIsAnswered(int batchSize)
    {
        using var transformer = Fit(Short with { BatchSize = batchSize });
        string[] prompts = ["rain falls", new string('a', 70), "sun", new string('b', 64)];
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        var failure = Assert.Throws<ArgumentException>(() => transformer.Generate(prompts, cancellationToken: cancelled.Token));
        Assert.StartsWith("Prompt 1 has 70 tokens", failure.Message, StringComparison.Ordinal);
        failure = Assert.Throws<ArgumentException>(() => Rows(transformer, prompts));
        Assert.StartsWith("The prompt of row 2 has 70 tokens", failure.Message, StringComparison.Ordinal);
        string[] many = [.. Enumerable.Repeat("sun", 300), new string('a', 64)];
        failure = Assert.Throws<ArgumentException>(() => Rows(transformer, many));
        Assert.StartsWith("The prompt of row 301 has 64 tokens", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void APromptOfAnEncoderDecoderIsNamedToo()
    {
        var options = new GenerateTextOptions { Generation = new GenerationOptions { MaximumNewTokens = null, MaximumLength = 1 } };
        using var transformer = Fit(options, TinyCausal.Switch);
        var failure = Assert.Throws<ArgumentException>(() => Rows(transformer, Prompts));
        Assert.StartsWith("The prompt of row 1 has 1 tokens and leaves no room", failure.Message, StringComparison.Ordinal);
        // its length limits nothing: the decoder begins anew
        Assert.Equal(2, transformer.Generate(["a", new string('b', 300)], Short.Generation).Count);
    }

    [Fact]
    public void AllAnswersToAPromptAreGivenTheBestFirst()
    {
        var sampled = Short with
        {
            Generation = new GenerationOptions { MaximumNewTokens = 6, Sample = true, Seed = 3, SequencesPerPrompt = 5 },
            AnswersColumnName = "All",
        };
        using var transformer = Fit(sampled);
        var all = transformer.GenerateAll(Prompts);
        Assert.All(all, answers =>
        {
            Assert.Equal(5, answers.Count);
            Assert.True(answers.Select(a => a.Text).Distinct().Count() > 1);
            Assert.Equal(answers.OrderByDescending(a => a.LogProbability), answers);
        });
        Assert.Equal(all.Select(answers => answers[0].Text), transformer.Generate(Prompts).Select(a => a.Text));
        var path = Path.Combine(_folder.Path, "model.zip");
        _ml.Model.Save(transformer, Table([]).Schema, path);
        using var loaded = (MoeTextGenerationTransformer)_ml.Model.Load(path, out _);
        var table = loaded.Transform(Table(Prompts));
        Assert.Equal(
            all.Select(answers => string.Join('|', answers.Select(a => a.Text))),
            table.GetColumn<string[]>("All").Select(texts => string.Join('|', texts)));
        Assert.Equal(all.Select(answers => answers[0].Text), table.GetColumn<string>("Answer"));
    }

    [Fact]
    public void BeamsAreGivenInTheOrderOfTheirScore()
    {
        using var transformer = Fit(Short);
        var options = new GenerationOptions { MaximumNewTokens = 4, MinimumNewTokens = 4, Beams = 4, SequencesPerPrompt = 3 };
        var answers = transformer.GenerateAll(["rain falls"], options)[0];
        Assert.Equal(3, answers.Count);
        Assert.Equal(answers.OrderByDescending(a => a.LogProbability), answers);
        Assert.Equal(answers[0].Tokens, transformer.Generate(["rain falls"], options with { SequencesPerPrompt = 1 })[0].Tokens);
    }

    [Fact]
    public async Task AStreamHasOneAnswer()
    {
        using var transformer = Fit(Short);
        var several = new GenerationOptions { MaximumNewTokens = 4, Sample = true, SequencesPerPrompt = 2 };
        var failure = await Assert.ThrowsAsync<ArgumentException>(async () =>
        {
            await foreach (var piece in transformer.GenerateStreaming("rain", several))
                Assert.Fail(piece);
        });
        Assert.Contains(nameof(transformer.GenerateAll), failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnEncoderWritesNoText()
    {
        var folder = Path.Combine(_folder.Path, "bert");
        TinyPublished.Write(folder, TinyPublished.Bert);
        TinyPublished.WriteTokenizer(folder);
        var failure = Assert.Throws<InvalidDataException>(() => Estimator(folder, Short).Fit(Table([])));
        Assert.Contains("EmbedText", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ColumnsAreCheckedBeforeTheModelIsLoaded()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Estimator("nowhere", Short).Fit(_ml.Data.LoadFromEnumerable(new[] { new Answer() })));
        Assert.Throws<ArgumentException>(() => Estimator("nowhere", Short with { TokenCountColumnName = "Answer" }));
        Assert.Throws<DirectoryNotFoundException>(() => Estimator("nowhere", Short).Fit(Table([])));
    }

    private MoeTextGenerationTransformer Fit(GenerateTextOptions options, string config = TinyCausal.Olmoe, ElementType type = ElementType.Float32)
    {
        var folder = Path.Combine(_folder.Path, "model");
        if (!Directory.Exists(folder))
            TinyCausal.Write(folder, config, type);
        return Estimator(folder, options).Fit(Table([]));
    }

    private MoeTextGenerationEstimator Estimator(string folder, GenerateTextOptions options) =>
        _ml.Transforms.Text.GenerateText("Answer", "Text", PublishedModel.FromFolder(folder), options);

    private IDataView Table(IEnumerable<string> prompts) => _ml.Data.LoadFromEnumerable(prompts.Select(p => new Prompt { Text = p }));

    private List<Written> Rows(MoeTextGenerationTransformer transformer, IReadOnlyList<string> prompts)
    {
        var table = transformer.Transform(Table(prompts));
        var answers = table.GetColumn<string>("Answer").ToList();
        T[] Of<T>(string name) => table.Schema.GetColumnOrNull(name) is null ? new T[answers.Count] : [.. table.GetColumn<T>(name)];
        var (counts, probabilities, entropies) = (Of<int>("Count"), Of<float>("LogProbability"), Of<float>("Entropy"));
        return [.. answers.Select((answer, i) => new Written(answer, counts[i], probabilities[i], entropies[i]))];
    }

    private sealed record Written(string Answer, int Count, float LogProbability, float Entropy);

    private sealed class Prompt
    {
        public string Text { get; set; } = "";
    }

    private sealed class Answer
    {
        [ColumnName("Answer")]
        public string Answer1 { get; set; } = "";
    }
}
