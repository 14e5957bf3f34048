using Microsoft.ML.Data;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Training;
using static Microsoft.ML.Moe.Tests.GeneratorTuning.TunedGenerators;

namespace Microsoft.ML.Moe.Tests.GeneratorTuning;

/// <summary>A causal model learns completions of prompts, or plain texts.</summary>
public sealed class LanguageModelTests : IDisposable
{
    private const string ChatTemplate = """
        {
          "chat_template": "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
        }
        """;

    private readonly TunedGenerators _models = new();
    private readonly MLContext _ml = new(seed: 1);

    public void Dispose() => _models.Dispose();

    [Fact]
    public void ATaskIsLearnedSavedAndLoaded()
    {
        var (training, test) = (LetterRows(120), LetterRows(40, seed: 2));
        using var model = Fit(training, o => (o.MaxEpochs, o.Prompt) = (20, "{Source} "));
        var accuracy = Accuracy(_ml, model, test);
        Assert.True(accuracy > 0.8, $"trained {accuracy}");
        _ml.Model.Save(model, Table(test).Schema, _models["model.zip"]);
        using var loaded = (MoeTextGenerationTransformer)_ml.Model.Load(_models["model.zip"], out _);
        Assert.Equal(Write(_ml, model, test), Write(_ml, loaded, test));
        using var engine = _ml.Model.CreatePredictionEngine<LetterRow, AnswerRow>(loaded, new PredictionEngineOptions { OwnsTransformer = false });
        Assert.Equal(Write(_ml, model, test)[0], engine.Predict(test[0]).Prediction);
    }

    [Fact]
    public void TheLossOfValidationRowsIsToldByStep()
    {
        var (reports, epochs) = (new List<EvaluationReport>(), new List<EpochReport>());
        using var model = Fit(LetterRows(16), o =>
        {
            (o.MaxEpochs, o.BatchSize, o.EvaluationSteps, o.ValidationSet) = (2, 4, 3, Table(LetterRows(6, seed: 2)));
            (o.EvaluationCompleted, o.EpochCompleted) = (reports.Add, epochs.Add);
        });
        // 4 steps an epoch
        Assert.Equal([3, 4, 6, 8], reports.Select(report => report.Step));
        Assert.Equal(epochs.Select(epoch => epoch.ValidationLoss), reports.Where(report => report.Step % 4 == 0).Select(report => (double?)report.Loss));
    }

    [Fact]
    public void TheLossIsThatOfTheCompletionsAlone()
    {
        var rows = LetterRows(5);
        var loss = FirstLoss(rows, _ => { });
        using var untrained = Untrained();
        var told = rows.SelectMany(row => Told(untrained, untrained.Generator.Encode(row.Source).Ids!.Ids, [.. Ids(untrained, row.Target), 1])).ToList();
        Assert.Equal(-told.Average(), loss, 1e-4);
    }

    [Fact]
    public void ACompletionThatIsCutOffHasNoEnd()
    {
        var rows = LetterRows(3);
        rows[0].Target = "abcdefgh";
        var loss = FirstLoss(rows, o => o.MaximumCompletionTokens = 4);
        using var untrained = Untrained();
        var told = rows.SelectMany(row => Told(
            untrained,
            untrained.Generator.Encode(row.Source).Ids!.Ids,
            row.Target.Length > 3 ? Ids(untrained, "abc") : [.. Ids(untrained, row.Target), 1])).ToList();
        Assert.Equal(-told.Average(), loss, 1e-4);
    }

    [Fact]
    public void PlainTextsAreLearnedFromTheirSecondTokenOnInPieces()
    {
        var rows = new[] { new LetterRow { Source = "abcdefghij" }, new LetterRow { Source = " " }, new LetterRow { Source = "ba" } };
        var loss = FirstLoss(rows, o => (o.CompletionColumnName, o.MaximumPromptTokens) = (null, 6));
        using var untrained = Untrained();
        int[] text = [.. Ids(untrained, "abcdefghij"), 1];
        double[] told =
        [
            .. Told(untrained, text[..1], text[1..6]), .. Told(untrained, text[6..7], text[7..]), .. Told(untrained, Ids(untrained, "b"), [.. Ids(untrained, "a"), 1]),
        ];
        Assert.Equal(-told.Average(), loss, 1e-4);
    }

    [Fact]
    public void AModelOfPlainTextsGoesOnWithThem()
    {
        var rows = Enumerable.Range(0, 30).Select(_ => new LetterRow { Source = "abcabcabc" }).ToList();
        using var model = Fit(rows, o => (o.CompletionColumnName, o.MaxEpochs) = (null, 12));
        Assert.Equal("cabc", Write(_ml, model, [new LetterRow { Source = "abcab" }])[0]);
        Assert.True(model.Evaluate(Table(rows)).Perplexity < 3);
    }

    [Fact]
    public void APromptCanBeAUsersTurn()
    {
        var chat = TinyCausal.Write(_models["chat"], TinyCausal.Llama.Replace("64", "256", StringComparison.Ordinal), generation: """{ "eos_token_id": 1 }""");
        File.WriteAllText(Path.Combine(chat, "tokenizer_config.json"), ChatTemplate);
        using var model = Fit(LetterRows(8), o => (o.Model, o.UsesChatTemplate, o.SystemPrompt) = (PublishedModel.FromFolder(chat), true, "be brief"));
        var whole = "<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\nabba<|im_end|>\n<|im_start|>assistant\n";
        using var plain = _ml.Transforms.Text.GenerateText("Prediction", "Source", PublishedModel.FromFolder(chat)).Fit(Table([]));
        Assert.Equal(plain.Generator.EncodeWhole(whole), EncodedBy(model, "abba"));
        _ml.Model.Save(model, Table([]).Schema, _models["model.zip"]);
        using var loaded = (MoeTextGenerationTransformer)_ml.Model.Load(_models["model.zip"], out _);
        Assert.Equal(EncodedBy(model, "abba"), EncodedBy(loaded, "abba"));
        Assert.Equal(Write(_ml, model, LetterRows(3)), Write(_ml, loaded, LetterRows(3)));
    }

    [Fact]
    public void AUsersTurnThatIsTooLongIsCutWithinTheConversation()
    {
        var chat = TinyCausal.Write(_models["chat"], TinyCausal.Llama.Replace("64", "256", StringComparison.Ordinal), generation: """{ "eos_token_id": 1 }""");
        File.WriteAllText(Path.Combine(chat, "tokenizer_config.json"), ChatTemplate);
        using var model = Fit(LetterRows(8), o => (o.Model, o.UsesChatTemplate, o.MaximumPromptTokens) = (PublishedModel.FromFolder(chat), true, 70));
        var longest = EncodedBy(model, new string('a', 100) + "b");
        Assert.Equal(70, longest.Length);
        var around = EncodedBy(model, "b");
        var beginning = Ids(model, "<|im_start|>user\n").Length;
        Assert.Equal(around[..beginning], longest[..beginning]);
        Assert.Equal(around[beginning..], longest[^(around.Length - beginning)..]);
        var noRoom = Assert.Throws<InvalidOperationException>(() => Fit(
            LetterRows(2), o => (o.Model, o.UsesChatTemplate, o.MaximumPromptTokens) = (PublishedModel.FromFolder(chat), true, 10)));
        Assert.Contains("Row 1", noRoom.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void UnifiedRoutingIsCausalWhileTrainingAndAfterwards()
    {
        using var model = Fit(LetterRows(12), o => o.Router = Router.Unified(1.5, 0.3));
        Assert.Equal(RoutingScope.Prefix, model.Router.Scope);
        using var held = (ModelLease<Model<EncodedText>>)model.Hold();
        // what is told token by token is what is told in one pass
        var answer = model.Generate(["abcd"])[0];
        int[] prompt = model.Generator.Encode("abcd").Ids!.Ids;
        Assert.Equal(
            answer.LogProbability, TextScoring.LogProbabilities(held.Model, [.. prompt, .. answer.Tokens])[(prompt.Length - 1)..].Sum(), 1e-3);
        Assert.Throws<ArgumentException>(() => Fit(LetterRows(4), o => o.Router = Router.ExpertChoice(2)));
    }

    [Fact]
    public void GroupsOfWeightsHaveRatesOfTheirOwn()
    {
        using var untrained = Untrained();
        using var model = Fit(LetterRows(12), o =>
            (o.RouterLearningRate, o.ExpertLearningRate, o.EmbeddingLearningRate) = (0, 0, 0));
        var (before, after) = (Values(untrained), Values(model));
        foreach (var (name, values) in before)
        {
            var stays = name.Contains("router", StringComparison.OrdinalIgnoreCase) || name.Contains("experts", StringComparison.Ordinal)
                || name.Contains("words", StringComparison.OrdinalIgnoreCase) || name.Contains("embed", StringComparison.OrdinalIgnoreCase);
            Assert.True(stays == values.AsSpan().SequenceEqual(after[name]), name);
        }

        static Dictionary<string, float[]> Values(MoeTextGenerationTransformer of)
        {
            using var held = (ModelLease<Model<EncodedText>>)of.Hold();
            return held.Model.Parameters.All.ToDictionary(p => p.Parameter.Name, p => p.Parameter.Value.ToArray());
        }
    }

    [Theory]
    [InlineData(WeightPrecision.AsStored)]
    [InlineData(WeightPrecision.Int8)]
    public void AdaptersLearnBesideTheWeights(WeightPrecision weights)
    {
        var bfloat16 = PublishedModel.FromFolder(
            TinyCausal.Write(_models["bf16"], TinyCausal.Olmoe, ElementType.BFloat16, """{ "eos_token_id": 1, "max_new_tokens": 6 }"""));
        void Adapt(MoeLanguageModelTrainer.Options o)
        {
            (o.Model, o.MaxEpochs, o.Weights) = (bfloat16, 4, weights);
            o.Adaptation = new LowRankAdaptation { Rank = 4, Layers = AdaptedLayers.Everything };
        }

        var reports = new List<EpochReport>();
        using var beside = Fit(LetterRows(40), o =>
        {
            Adapt(o);
            (o.MergesAdapters, o.EpochCompleted) = (false, reports.Add);
        });
        Assert.True(reports[^1].TrainingLoss < 0.9 * reports[0].TrainingLoss);
        _ml.Model.Save(beside, Table([]).Schema, _models["beside.zip"]);
        using var loaded = (MoeTextGenerationTransformer)_ml.Model.Load(_models["beside.zip"], out _);
        Assert.Equal(Logs(beside), Logs(loaded));
        beside.SaveAdapters(_models["adapters"]);
        Assert.True(File.Exists(Path.Combine(_models["adapters"], "adapter_model.safetensors")));

        using var merged = Fit(LetterRows(40), Adapt);
        Assert.All(Logs(beside).Zip(Logs(merged)), pair => Assert.Equal(pair.First, pair.Second, 0.1));
        Assert.Throws<InvalidOperationException>(() => merged.SaveAdapters(_models["none"]));
        _ml.Model.Save(merged, Table([]).Schema, _models["merged.zip"]);
        using var again = (MoeTextGenerationTransformer)_ml.Model.Load(_models["merged.zip"], out _);
        Assert.All(Logs(merged).Zip(Logs(again)), pair => Assert.Equal(pair.First, pair.Second, 0.1));

        static double[] Logs(MoeTextGenerationTransformer model)
        {
            using var held = (ModelLease<Model<EncodedText>>)model.Hold();
            return TextScoring.LogProbabilities(held.Model, [.. Ids(model, "abcdabcd")]);
        }
    }

    [Fact]
    public void WhatCannotBeIsNamed()
    {
        AssertRefused("SystemPrompt", o => o.SystemPrompt = "be brief");
        AssertRefused("CompletionColumnName", o => (o.UsesChatTemplate, o.CompletionColumnName) = (true, null));
        AssertRefused("Metric", o => (o.Metric, o.ValidationShare, o.CompletionColumnName) = (TextMetric.F1, 0.2f, null));
        AssertRefused("PromptColumnName", o => o.PromptColumnName = "");
        AssertRefused("MaximumCompletionTokens", o => o.MaximumCompletionTokens = 1);
        Assert.Contains("MoeTextToText", Assert.Throws<InvalidOperationException>(() => Fit(LetterRows(4), o => o.Model = _models.Switch)).Message, StringComparison.Ordinal);
        Assert.Contains("no experts", Assert.ThrowsAny<Exception>(
            () => Fit(LetterRows(4), o => (o.Model, o.GlobalWorkspace) = (_models.Llama, new GlobalWorkspaceSettings(0.5)))).Message.Replace("has none", "no experts", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => Fit(LetterRows(4), o => (o.Model, o.RouterEntropyColumnName) = (_models.Llama, "Entropy")));

        var bert = _models["bert"];
        TinyPublished.Write(bert, TinyPublished.Bert);
        TinyPublished.WriteTokenizer(bert);
        Assert.Contains("writes no text", Assert.Throws<InvalidDataException>(
            () => Fit(LetterRows(4), o => o.Model = PublishedModel.FromFolder(bert))).Message, StringComparison.Ordinal);

        var endless = TinyCausal.Write(_models["endless"], TinyCausal.Llama.With(("eos_token_id", null)));
        Assert.Contains("EndTokens", Assert.Throws<ArgumentException>(
            () => Fit(LetterRows(4), o => o.Model = PublishedModel.FromFolder(endless))).Message, StringComparison.Ordinal);
        using var given = Fit(LetterRows(4), o => (o.Model, o.Generation) = (PublishedModel.FromFolder(endless), new GenerationOptions { EndTokens = [1] }));
        Assert.Equal([1], given.Generation.EndTokens);

        void AssertRefused(string option, Action<MoeLanguageModelTrainer.Options> change) =>
            Assert.Contains(option, Assert.ThrowsAny<ArgumentException>(() => Trainer(change)).Message, StringComparison.Ordinal);
    }

    // the mean loss of an epoch of one step, which changes nothing
    private double FirstLoss(IEnumerable<LetterRow> rows, Action<MoeLanguageModelTrainer.Options> change)
    {
        var losses = new List<double>();
        using var model = Fit(rows, o =>
        {
            (o.LearningRate, o.BatchSize, o.EpochCompleted) = (1e-9f, 64, report => losses.Add(report.TrainingLoss));
            change(o);
        });
        return losses.Single();
    }

    private static double[] Told(MoeTextGenerationTransformer model, int[] prompt, int[] completion)
    {
        using var held = (ModelLease<Model<EncodedText>>)model.Hold();
        return TextScoring.LogProbabilities(held.Model, [.. prompt, .. completion])[(prompt.Length - 1)..];
    }

    private static int[] Ids(MoeTextGenerationTransformer model, string text) => [.. model.Generator.Files.Tokenizer.Encode(text)];

    private static int[] EncodedBy(MoeTextGenerationTransformer model, string prompt) => model.Encode(prompt).Ids!.Ids;

    private MoeTextGenerationTransformer Untrained() =>
        _ml.Transforms.Text.GenerateText("Prediction", "Source", _models.Olmoe).Fit(Table([]));

    private MoeLanguageModelTrainer Trainer(Action<MoeLanguageModelTrainer.Options>? change = null) => _models.Completer(_ml, change);

    private MoeTextGenerationTransformer Fit(IEnumerable<LetterRow> rows, Action<MoeLanguageModelTrainer.Options>? change = null) =>
        Trainer(change).Fit(Table(rows));

    private IDataView Table(IEnumerable<LetterRow> rows) => _ml.Data.LoadFromEnumerable(rows);
}
