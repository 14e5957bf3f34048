using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

public sealed class PretrainingTests : IDisposable
{
    private readonly ManagedEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void HiddenWordsAreGuessedFromThoseAroundThem()
    {
        // the middle word follows from the first and the last
        string[] texts = [.. Enumerable.Range(0, 400).Select(i => $"w{i % 4} m{(i % 4 * 3) + (i / 4 % 3)} e{i / 4 % 3}")];
        var config = Config(30, t => t with { ValidationShare = 0.2f, BatchSize = 16 })
            with { MaskShare = 0.3f, Encoder = ToyTable.Encoder with { Dropout = 0f } };
        var watcher = new Watcher();

        Train(config, texts, watcher);

        Assert.InRange(watcher.Epochs[^1].ValidationAccuracy!.Value, 0.6, 1);
        Assert.InRange(watcher.Epochs[^1].ValidationLoss!.Value, 0, 0.7 * watcher.Epochs[0].ValidationLoss!.Value);
    }

    [Fact]
    public void AClassifierStartsFromThePretrainedEncoder()
    {
        var encoder = Train(Config(2), Sentences(60));
        var trainer = new TextClassifierTrainer(ToyTable.Config(1).WithTraining(t => t.LearningNothing()), 3, _engine, start: WarmStart.From(encoder));

        var classifier = trainer.Train(ToyTable.Encoded(trainer.Input, 60, seed: 1));

        foreach (var (parameter, _) in encoder.Parameters.All.Where(p => p.Parameter.Name != TextEmbedding.TokenTable))
        {
            Assert.Equal(parameter.Value.ToArray(), classifier.Values(parameter.Name), (a, b) => Math.Abs(a - b) < 1e-6);
        }
    }

    [Fact]
    public void SavedAndLoadedItGivesTheSameVectors()
    {
        var encoder = Train(Config(1), Sentences(30));
        var (config, weights) = encoder.Save();

        var loaded = ModelFiles.LoadText(new MemoryStream(config), new MemoryStream(weights), _engine);

        Assert.Equal(Vectors(encoder), Vectors(loaded));
        Assert.Equal(16, loaded.Outputs);
        Assert.DoesNotContain(loaded.Parameters.All, p => p.Parameter.Name.StartsWith("guess", StringComparison.Ordinal));
    }

    [Fact]
    public void AVectorDoesNotDependOnItsBatchMates()
    {
        var encoder = Train(Config(1), Sentences(30));
        var texts = Sentences(9).Select(t => encoder.Input.Encode(t)).ToList();
        var together = encoder.Scores(texts);

        Assert.Equal(9 * 16, together.Length);
        for (var i = 0; i < 9; i++)
            Assert.Equal(together[(i * 16)..((i + 1) * 16)], encoder.Scores([texts[i]]));
    }

    [Fact]
    public void TheSameSeedGivesTheSameEncoder()
    {
        Assert.Equal(Vectors(Train(Config(2), Sentences(40))), Vectors(Train(Config(2), Sentences(40))));
    }

    [Fact]
    public void LongTextsAreReadToTheirEndInPieces()
    {
        var input = new TextEncoderPretrainer(Config(1), _engine).Input;
        var words = Enumerable.Range(0, 100).Select(i => $"word{i}").ToList();

        var pieces = input.EncodePieces(string.Join(' ', words)).ToList();

        Assert.Equal([16, 16, 16, 16, 16, 16, 11], pieces.Select(p => p.Length));
        var expected = words.Select(w => input.Encode(w).Tokens[1].Rows[0]);
        Assert.Equal(expected, pieces.SelectMany(p => p.Tokens.Skip(1)).Select(t => t.Rows[0]));
        Assert.Empty(input.EncodePieces("  \t"));
    }

    [Fact]
    public void TextsWithNothingToGuessAreRefused()
    {
        var error = Assert.Throws<ArgumentException>(() => Train(Config(1), ["same same", "same"]));
        Assert.Contains("fewer than two different words", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Train(Config(1), []));
    }

    [Fact]
    public void InterruptedPretrainingEndsAsIfItHadNotBeen()
    {
        var file = Path.GetTempFileName();
        File.Delete(file);
        try
        {
            var expected = Vectors(Train(Config(3), Sentences(60)));
            var config = Config(3, t => t with { CheckpointFile = file });
            Assert.Throws<OperationCanceledException>(() => Train(config, Sentences(60), new Watcher(steps: 5)));

            Assert.Equal(expected, Vectors(Train(config, Sentences(60))));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void MaskingHidesReplacesAndKeepsInTheKnownShares()
    {
        var input = new TextEncoderPretrainer(Config(1), _engine).Input;
        List<EncodedText> texts = [.. Enumerable.Range(0, 4000).Select(i => input.Encode($"a{i % 50} b{i % 40} c{i % 30}"))];
        var vocabulary = MaskedVocabulary.Of(texts, 1000);

        var masked = new TokenMasking(vocabulary, 0.2f).Mask(texts, new Random(1));

        Assert.InRange(masked.Guesses.Count / 12000.0, 0.19, 0.21);
        var drawn = masked.Guesses.Select(g => (g.Text, g.Position)).ToHashSet();
        Assert.All(
            texts.Index().SelectMany(t => Enumerable.Range(0, t.Item.Length).Select(p => (t.Index, p))).Where(p => !drawn.Contains(p)),
            p => Assert.Same(texts[p.Index].Tokens[p.p], masked.TokensOf(p.Index)[p.p]));
        Assert.All(masked.Guesses, g => Assert.Equal(Row(g), vocabulary[g.Target].Rows[0]));
        Assert.InRange(Share(g => masked.TokensOf(g.Text)[g.Position] == TableTextInput.Masked), 0.77, 0.83);
        Assert.InRange(Share(g => masked.TokensOf(g.Text)[g.Position].Rows[0] == Row(g)), 0.08, 0.13);

        int Row((int Text, int Position, int Target) guess) => texts[guess.Text].Tokens[guess.Position].Rows[0];
        double Share(Func<(int Text, int Position, int Target), bool> predicate) => (double)masked.Guesses.Count(predicate) / masked.Guesses.Count;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void GuessesPointAtTheirTokensWithAndWithoutPadding(bool pad)
    {
        var input = new TextEncoderPretrainer(Config(1), _engine).Input;
        List<EncodedText> texts = [input.Encode("a b c d"), input.Encode("e"), input.Encode("f g h")];
        var masked = new TokenMasking(MaskedVocabulary.Of(texts, 100), 0.9f).Mask(texts, new Random(3));

        var batch = new TextBatchPacker(new Packing(pad, KeepsLayouts: false)).Pack(texts);

        var rows = masked.RowsIn(batch.Layout).ToArray();
        Assert.InRange(rows.Length, 4, 8);
        Assert.All(rows.Zip(masked.Guesses), p =>
        {
            var bag = batch.Tokens.Indices[batch.Tokens.Offsets[p.First]..batch.Tokens.Offsets[p.First + 1]];
            Assert.Equal(texts[p.Second.Text].Tokens[p.Second.Position].Rows, bag.ToArray());
        });
    }

    [Fact]
    public void OnlyTheMostFrequentWordsAreGuessed()
    {
        var input = new TextEncoderPretrainer(Config(1), _engine).Input;
        var texts = new[] { "one two three", "one two", "one" }.Select(t => input.Encode(t)).ToList();

        var vocabulary = MaskedVocabulary.Of(texts, 2);

        Assert.Equal(2, vocabulary.Count);
        var tokens = texts[0].Tokens;
        Assert.Equal([false, true, true, false], tokens.Select(t => vocabulary.TryGetNumber(t, out _)));
        Assert.True(vocabulary.TryGetNumber(tokens[1], out var number));
        Assert.Equal(0, number);
    }

    [Theory]
    [InlineData(0f, 100, "MaskShare")]
    [InlineData(1f, 100, "MaskShare")]
    [InlineData(0.1f, 1, "MaskedVocabularySize")]
    [InlineData(float.NaN, 100, "MaskShare")]
    public void ImpossibleOptionsAreNamed(float share, int words, string option) =>
        Assert.Equal(
            option,
            Assert.Throws<ArgumentOutOfRangeException>(() => Config(1) with { MaskShare = share, MaskedVocabularySize = words }).ParamName);

    private static TextPretrainingConfig Config(int epochs, Func<TrainingConfig, TrainingConfig>? change = null)
    {
        var training = new TrainingConfig { BatchSize = 8, MaxEpochs = epochs, Seed = 1 };
        return new()
        {
            Input = ToyTable.Input,
            Encoder = ToyTable.Encoder with { Dropout = 0.1f },
            Training = change is null ? training : change(training),
        };
    }

    private static string[] Sentences(int count) => [.. ToyTable.Rows(count, seed: 4).Select(r => r.Text)];

    private Model<EncodedText> Train(TextPretrainingConfig config, IEnumerable<string> texts, ITrainingObserver? observer = null)
    {
        var trainer = new TextEncoderPretrainer(config, _engine);
        return trainer.Train([.. texts.SelectMany(t => trainer.Input.EncodePieces(t))], observer);
    }

    private static float[] Vectors(Model<EncodedText> encoder) => encoder.Scores([.. Sentences(5).Select(t => encoder.Input.Encode(t))]);

    private sealed class Watcher(int? steps = null) : ITrainingObserver
    {
        private int _steps;

        public List<EpochReport> Epochs { get; } = [];

        public void OnEpoch(EpochReport report) => Epochs.Add(report);

        public void OnStep(int epoch, int step, int stepsOfEpoch, double loss)
        {
            if (++_steps == steps)
                throw new OperationCanceledException();
        }
    }
}
