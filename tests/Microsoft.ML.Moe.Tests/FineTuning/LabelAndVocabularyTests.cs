using System.Text;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe.Tests.FineTuning;

/// <summary>
/// Other labels and other vocabularies than the earlier model's. The training of these tests learns next to nothing, so that what is
/// seen is what was taken over.
/// </summary>
public sealed class LabelAndVocabularyTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<string> _log = [];
    private readonly TransformerChain<MoeTextClassificationTransformer> _earlier;

    public LabelAndVocabularyTests()
    {
        _earlier = Models.Fit(_ml, o => o.LinearBranch = false);
        _ml.Log += (_, e) => _log.Add($"{e.Kind}: {e.RawMessage}");
    }

    public void Dispose() => _earlier.Dispose();

    [Theory]
    [InlineData("weather", "food", "travel")]
    [InlineData("travel", "weather", "food")]
    [InlineData("food", "travel", "weather")]
    public void LabelsOfAnotherOrderKeepTheirProbabilities(params string[] order)
    {
        using var started = Start(_earlier, Rows(order));
        AssertSameProbabilities(order, Probabilities(_earlier), Probabilities(started));
        AssertLogged("a classifier of 3 classes, which knows 3 of the 3");
    }

    [Fact]
    public void ASubsetOfTheLabelsKeepsTheirShares()
    {
        string[] order = ["travel", "weather"];
        using var started = Start(_earlier, Rows(order));
        var expected = Probabilities(_earlier).Select(row =>
        {
            var sum = order.Sum(label => row[label]);
            return order.ToDictionary(label => label, label => row[label] / sum);
        });
        AssertSameProbabilities(order, [.. expected], Probabilities(started));
        AssertLogged("knows 2 of the 2");
    }

    [Fact]
    public void NewLabelsStandBesideKnownOnes()
    {
        string[] order = ["music", "travel", "food", "weather"];
        using var started = Start(_earlier, Rows(order));
        var known = Probabilities(started).Select(row =>
        {
            var sum = Tables.Classes.Sum(label => row[label]);
            return Tables.Classes.ToDictionary(label => label, label => row[label] / sum);
        });
        AssertSameProbabilities(Tables.Classes, Probabilities(_earlier), [.. known]);
        AssertLogged("knows 3 of the 4");
    }

    [Fact]
    public void LabelsOfAnotherTypeStartFromChance()
    {
        var rows = Rows(Tables.Classes);
        rows.ForEach(r => r.Number = Array.IndexOf(Tables.Classes, r.Label));
        using var started = Models.Pipeline(
            _ml,
            o =>
            {
                Freeze(o, PretrainedModel.From(_earlier));
                o.Seed = 2; // with the earlier model's seed the head would start where that model's did
            },
            label: "Number").Fit(_ml.Data.LoadFromEnumerable(rows));
        AssertLogged("knows 0 of the 3");
        var accuracy = Models.Score(_ml, started, Tables.Rows()).Count(p => p.PredictedLabel == p.Id % 3 + 1) / 90.0;
        Assert.True(accuracy < 0.8, $"accuracy {accuracy}");
    }

    [Fact]
    public void KeysWithoutValuesAreComparedAsTheyAre()
    {
        Assert.Equal([0, 1, 2], ClassMatch.Of(null, 3, null, 3)!);
        Assert.Null(ClassMatch.Of(null, 4, null, 3));
        Assert.Null(ClassMatch.Of(null, 3, _earlier.LastTransformer.Labels, 3));
        Assert.Null(ClassMatch.Of(_earlier.LastTransformer.Labels, 3, null, 3));
    }

    [Fact]
    public void SubwordsOfAnotherOrderKeepWhatIsKnownOfThem()
    {
        using var earlier = Models.Fit(_ml, o => (o.LinearBranch, o.Tokenizer) = (false, Tokenizer(TestVocabulary.Pieces)));
        var other = Tokenizer([.. TestVocabulary.Pieces.Reverse(), "unheard"]);
        using var started = Start(earlier, Rows(Tables.Classes), o => o.Tokenizer = other);
        AssertSameProbabilities(Tables.Classes, Probabilities(earlier), Probabilities(started));
        var count = TestVocabulary.Pieces.Length;
        AssertLogged($"what it learned of {count} of the tokenizer's {count + 1} entries");
    }

    [Fact]
    public void TheEarlierTokenizerGoesOnWhenNoneIsGiven()
    {
        using var earlier = Models.Fit(_ml, o => (o.LinearBranch, o.Tokenizer) = (false, Tokenizer(TestVocabulary.Pieces)));
        using var started = Start(earlier, Rows(Tables.Classes));
        using var same = Start(earlier, Rows(Tables.Classes), o => o.Tokenizer = Tokenizer(TestVocabulary.Pieces));
        Assert.Equal(TestVocabulary.Pieces.Length, started.LastTransformer.Tokenizer!.VocabularySize);
        AssertSameProbabilities(Tables.Classes, Probabilities(earlier), Probabilities(started));
        Models.AssertSame(Models.Score(_ml, started, Tables.Rows()), Models.Score(_ml, same, Tables.Rows()));
    }

    [Fact]
    public void ATokenizerAfterHashedWordsLearnsItsSubwordsAnew()
    {
        using var started = Start(_earlier, Rows(Tables.Classes), o => o.Tokenizer = Tokenizer(TestVocabulary.Pieces));
        AssertLogged($"what it learned of 0 of the tokenizer's {TestVocabulary.Pieces.Length} entries");
        Assert.Equal(90, Models.Score(_ml, started, Tables.Rows()).Count);
    }

    [Fact]
    public void WordsThatNeitherTrainingHasSeenSayNothing()
    {
        // hashed words: rows of the table that no text has used are zeros in both models
        using var started = Start(_earlier, Rows(Tables.Classes));
        Assert.Equal(Zeros(_earlier.LastTransformer), Zeros(started.LastTransformer));

        static int Zeros(ITransformer model) =>
            SavedWeights.Of(model)["tokens"].Chunk(16 * sizeof(float)).Count(row => row.AsSpan().IndexOfAnyExcept((byte)0) < 0);
    }

    private static TextTokenizer Tokenizer(string[] pieces) =>
        TextTokenizer.FromWordPieceVocabulary(new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', pieces))));

    private static List<Row> Rows(string[] order)
    {
        var rows = Tables.Rows(30, seed: 9);
        return [.. order.SelectMany(label => rows.Where(r => r.Label == label).DefaultIfEmpty(new Row { Text = "song", Label = label }))];
    }

    private static void Freeze(MoeTextClassificationTrainer.Options options, PretrainedModel initial)
    {
        options.InitialModel = initial;
        options.MaxEpochs = 1;
        (options.LearningRate, options.EmbeddingLearningRate) = (1e-9f, 1e-9f);
        options.LinearBranch = false;
    }

    private static void AssertSameProbabilities(
        string[] labels, List<Dictionary<string, float>> expected, List<Dictionary<string, float>> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        foreach (var (before, after) in expected.Zip(actual))
            foreach (var label in labels)
                Assert.Equal(before[label], after[label], 1e-4f);
    }

    private TransformerChain<MoeTextClassificationTransformer> Start(
        ITransformer earlier, IEnumerable<Row> rows, Action<MoeTextClassificationTrainer.Options>? change = null) =>
        Models.Pipeline(_ml, o =>
        {
            Freeze(o, PretrainedModel.From(earlier));
            change?.Invoke(o);
        }).Fit(_ml.Data.LoadFromEnumerable(rows));

    private List<Dictionary<string, float>> Probabilities(TransformerChain<MoeTextClassificationTransformer> model)
    {
        var labels = model.LastTransformer.Labels!.Texts;
        return [.. Models.Score(_ml, model, Tables.Rows()).Select(p => labels.Zip(p.Score).ToDictionary(l => l.First, l => l.Second))];
    }

    private void AssertLogged(string text) => Assert.Contains(_log, l => l.Contains(text, StringComparison.Ordinal));
}
