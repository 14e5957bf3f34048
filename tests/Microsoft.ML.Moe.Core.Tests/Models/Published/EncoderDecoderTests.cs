using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Models.Published;

/// <summary>Encoder–decoders as models: what they learn of rows, files, routers of both stacks, and the text that they write.</summary>
public sealed class EncoderDecoderTests : IDisposable
{
    private static readonly SwitchTransformersConfig Sparse = new()
    {
        VocabularySize = 32,
        Width = 16,
        HeadWidth = 6,
        DenseWidth = 20,
        ExpertWidth = 20,
        Layers = 2,
        DecoderLayers = 3,
        Heads = 2,
        Experts = 4,
        Router = Router.TokenChoice(1) with { ExpertCapacity = 2 },
        MoeAt = new BlockNumbers([1]),
        DecoderMoeAt = new BlockNumbers([0, 2]),
        Positions = 64,
        StartId = 1,
        Activation = Activation.Relu,
        NormEpsilon = 1e-6f,
        Dropout = 0f,
        AttentionDropout = 0f,
    };

    private static readonly T5Config Dense = new()
    {
        VocabularySize = 32,
        Width = 16,
        HeadWidth = 6,
        DenseWidth = 20,
        Layers = 2,
        DecoderLayers = 1,
        Heads = 2,
        HasGate = true,
        Positions = 64,
        StartId = 1,
        TiesDecoder = false,
        Activation = Activation.GeluTanh,
        NormEpsilon = 1e-6f,
        Dropout = 0f,
        AttentionDropout = 0f,
    };

    private readonly ManagedEngine _engine = new(2);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void ASavedModelComesBack()
    {
        foreach (var config in (EncoderDecoderConfig[])[Sparse, Dense])
        {
            var model = Create(config);
            var (saved, weights) = model.Save();
            using var engine = new ManagedEngine(1);

            var loaded = ModelFiles.LoadText(new MemoryStream(saved), new MemoryStream(weights), engine, new LetterIds());

            Assert.Equal(model.Config, loaded.Config);
            Assert.Equal(Scores(model, Rows), Scores(loaded, Rows));
            Assert.Equal(Written(model), Written(loaded));
        }
    }

    [Fact]
    public void Mt5IsAGatedT5WithALastTableOfItsOwn()
    {
        Assert.Equal(ConfigOf("t5", ", \"feed_forward_proj\": \"gated-gelu\", \"tie_word_embeddings\": false"), ConfigOf("mt5", ""));
        Assert.Equal(ConfigOf("t5", ""), ConfigOf("mt5", ", \"feed_forward_proj\": \"relu\", \"tie_word_embeddings\": true"));

        using var folder = new TemporaryFolder();
        var path = TinyCausal.Write(folder.Path, Json("mt5", ""));
        using (var files = TensorFiles.Open(path))
        {
            Assert.Contains("lm_head.weight", files.Tensors.Keys);
            Assert.Contains("encoder.block.0.layer.1.DenseReluDense.wi_1.weight", files.Tensors.Keys);
        }

        var (generator, model) = TextGenerator.Load(_engine, path, WeightPrecision.AsStored, "tiny");
        var options = new GenerationOptions { MaximumNewTokens = 5 };
        var answer = generator.Write(model, [generator.Encode("rain")], options, batchSize: 1, measuresEntropy: false)[0].Answer;
        Assert.InRange(answer.Tokens.Count, 1, 5);

        static string Json(string type, string more) => $$"""
            {
              "model_type": "{{type}}", "vocab_size": 32, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2,
              "decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0{{more}}
            }
            """;

        static PublishedConfig ConfigOf(string type, string more)
        {
            using var folder = new TemporaryFolder();
            File.WriteAllText(Path.Combine(folder.Path, "config.json"), Json(type, more));
            return PublishedFolder.Open(folder.Path).Encoder;
        }
    }

    [Fact]
    public void ADecoderNeedsAnEncoderDecoder()
    {
        var (saved, weights) = Create(Dense).Save();
        var other = System.Text.Encoding.UTF8.GetString(saved).Replace("\"kind\": \"decoder\"", "\"kind\": \"nextToken\"", StringComparison.Ordinal);

        Assert.ThrowsAny<Exception>(() => ModelFiles.LoadText(
            new MemoryStream(System.Text.Encoding.UTF8.GetBytes(other)), new MemoryStream(weights), _engine, new LetterIds()));
    }

    [Fact]
    public void LossAndMeasureCountTheSameTargets()
    {
        var model = Create(Dense);
        using var tape = _engine.BeginTape(training: true);
        var batch = Pack(model, Rows);

        var scores = model.Forward(tape, batch);
        var loss = model.Head.Loss(tape, scores, batch, new Targets(), new TrainingConfig { LabelSmoothing = 0f }).ToArray()[0];
        var measured = model.Measure([.. Rows.Select(row => new Example<EncodedText>(row, 0f))]);

        Assert.Equal([5, 32], scores.Shape.ToArray());
        Assert.Equal(5, measured.Count);
        Assert.Equal(loss, measured.Loss, 1e-5);
    }

    [Fact]
    public void ARowDoesNotDependOnItsBatch()
    {
        var model = Create(Sparse);
        var together = Scores(model, Rows);

        var apart = Rows.SelectMany(row => Scores(model, [row])).ToArray();

        Assert.Equal(together.Length, apart.Length);
        Assert.All(together.Zip(apart), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
    }

    [Fact]
    public void TheLossesOfBothStacksAreAddedInTraining()
    {
        var model = Create(Sparse);
        using var tape = _engine.BeginTape(training: true);
        model.Forward(tape, Pack(model, Rows));
        Assert.Equal(2, tape.AuxiliaryLosses.Count);
        using var evaluation = _engine.BeginTape(training: false);
        model.Forward(evaluation, Pack(model, Rows));
        Assert.Empty(evaluation.AuxiliaryLosses);
    }

    [Fact]
    public void AReportHasTheBlocksOfBothStacks()
    {
        var model = Create(Sparse);
        Assert.Equal(4, model.Experts);

        var report = model.ReportRouting(Rows);

        // two of the encoder, then the decoder's
        Assert.Equal([1, 2, 4], report.Layers.Select(layer => layer.Block));
        Assert.Equal([7L, 6L, 6L], report.Layers.Select(layer => layer.Tokens));
    }

    [Fact]
    public void AnotherRouterRoutesBothStacks()
    {
        var model = Create(Sparse);
        var other = model.WithRouting(Router.Unified(1));
        var observer = new Plans();
        other.Score(Rows, [], observer);
        Assert.Equal([1, 2, 4], observer.Blocks);
        Assert.All(observer.Weights, rule => Assert.Equal(0.5f, rule.Alpha));
        Assert.NotEqual(Scores(model, Rows), Scores(other, Rows));
        Assert.Throws<InvalidOperationException>(() => Create(Dense).WithRouting(Router.Unified(1)));
    }

    [Fact]
    public void RowsWithoutTargetsHaveNothingToLearn()
    {
        var model = Create(Sparse);
        EncodedText[] rows = [Row([5, 6], null)];
        using var tape = _engine.BeginTape(training: true);
        var batch = Pack(model, rows);
        var scores = model.Forward(tape, batch);
        Assert.Equal(0, scores.Shape[0]);
        Assert.Throws<InvalidOperationException>(() => model.Head.Loss(tape, scores, batch, new Targets(), new TrainingConfig()));
        Assert.Equal(0, model.Measure([new Example<EncodedText>(rows[0], 0f)]).Count);
    }

    [Fact]
    public void CachedAndWholeDecodingAgreeWhereNothingIsDropped()
    {
        var model = Create(Sparse).WithRouting(Router.TokenChoice(1));
        Assert.Equal(Written(model, usesCache: true), Written(model, usesCache: false));
    }

    [Fact]
    public void AnswersOfOnePromptGoOnAsOthersOfIt()
    {
        var model = Create(Dense);
        foreach (var usesCache in (bool[])[true, false])
        {
            using var decoding = new EncoderDecoderModel(model, usesCache).Begin([[5, 6, 7], [8]], copies: 2, capacity: 4);
            var scores = new float[decoding.Sequences * decoding.VocabularySize];
            float[] Of(int sequence) => scores[(sequence * decoding.VocabularySize)..((sequence + 1) * decoding.VocabularySize)];
            Assert.Equal([1], decoding.ContextOf(3).ToArray());

            decoding.Next([], scores);
            Assert.Equal(Of(0), Of(1));
            decoding.Next([9, 10, 9, 10], scores);
            Assert.NotEqual(Of(2), Of(3));
            decoding.Reorder([1, 1, 3, 2]);
            decoding.Next([11, 11, 11, Decoding.Ended], scores);

            Assert.Equal(Of(0), Of(1));
            Assert.Equal(Expected(usesCache, [8], 10), Of(2));
            decoding.Next([Decoding.Ended, Decoding.Ended, Decoding.Ended, Decoding.Ended], scores);
        }

        float[] Expected(bool usesCache, int[] prompt, int token)
        {
            using var decoding = new EncoderDecoderModel(model, usesCache).Begin([prompt], 1, 4);
            var scores = new float[decoding.VocabularySize];
            decoding.Next([], scores);
            decoding.Next([token], scores);
            decoding.Next([11], scores);
            return scores;
        }
    }

    [Fact]
    public void PromptsAreChecked()
    {
        var model = new EncoderDecoderModel(Create(Dense));
        Assert.Throws<ArgumentException>(() => model.Begin([[]], 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.Begin([[32]], 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.Begin([], 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.Begin([[5]], 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.Begin([[5]], 1, 0));
    }

    [Fact]
    public void JitterChangesTheRoutersInputInTrainingOnly()
    {
        float[] Logits(float jitter, bool training)
        {
            var model = Create(Sparse with { RouterJitter = jitter });
            var plans = new Plans();
            using var tape = _engine.BeginTape(training, seed: 3);
            model.Forward(tape, Pack(model, Rows), plans);
            return plans.FirstLogits!;
        }

        Assert.Equal(Logits(0f, training: true), Logits(0.1f, training: false));
        var (without, with) = (Logits(0f, training: true), Logits(0.1f, training: true));
        Assert.NotEqual(without, with);
        Assert.All(without.Zip(with), pair => Assert.Equal(pair.First, pair.Second, 0.2f));
    }

    private static EncodedText[] Rows { get; } =
    [
        Row([5, 6, 7, 5], [9, 10, 2]), Row([8], [TokenIds.NotCounted, 11]), Row([12, 13], [2]),
    ];

    private static EncodedText Row(int[] ids, int[]? targets) => new(new TokenIds(ids) { Targets = targets }, 0, isEmpty: false);

    private Model<EncodedText> Create(EncoderDecoderConfig encoder)
    {
        var input = new PublishedTextInput(PublishedTextInputConfig.Of(encoder), new LetterIds());
        var config = new ModelConfig { Input = input.Config, Encoder = encoder, Head = new DecoderHeadConfig() };
        return new Model<EncodedText>(_engine, config, input, new ParameterStore(_engine, 4) { HasDenseTables = true });
    }

    private static Batch Pack(Model<EncodedText> model, EncodedText[] rows) => model.Input.CreatePacker(model.Packing()).Pack(rows);

    private static float[] Scores(Model<EncodedText> model, EncodedText[] rows)
    {
        using var tape = model.Engine.BeginTape(training: false);
        return model.Forward(tape, Pack(model, rows)).ToArray();
    }

    private static int[] Written(Model<EncodedText> model, bool usesCache = true)
    {
        using var decoding = new EncoderDecoderModel(model, usesCache).Begin([[5, 6, 7], [8]], 1, 8);
        var scores = new float[2 * decoding.VocabularySize];
        var written = new List<int>();
        int[] next = [];
        for (var step = 0; step < 8; step++)
        {
            decoding.Next(next, scores);
            next = [.. scores.Chunk(decoding.VocabularySize).Select(row => Measurement.IndexOfMaximum(row))];
            written.AddRange(next);
        }

        return [.. written];
    }

    private sealed class Plans : IRoutingObserver
    {
        public List<int> Blocks { get; } = [];

        public List<CombineRule> Weights { get; } = [];

        public float[]? FirstLogits { get; private set; }

        public void OnRouted(RoutedLayer layer)
        {
            FirstLogits ??= layer.LogitsTE.ToArray();
            Blocks.Add(layer.Block);
            Weights.Add(layer.Plan.Weights);
        }
    }
}
