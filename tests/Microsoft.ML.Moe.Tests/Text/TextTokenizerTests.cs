using System.IO.Compression;
using Microsoft.ML.Moe.Tests.Persistence;
using Microsoft.ML.Moe.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.Moe.Tests.Text;

/// <summary>Tokenizers of <c>Microsoft.ML.Tokenizers</c> in models.</summary>
public sealed class TextTokenizerTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Theory]
    [InlineData("rain sun", "rain sun")]
    [InlineData("storm,apple!", "st ##orm , app ##le !")]
    [InlineData("xyz rain", "[UNK] rain")]
    [InlineData("ab", "a ##b")]
    [InlineData("", "")]
    [InlineData("rain\nsun\ta\r\nwind\u0085a", "rain sun a wind a")] // line ends and tabs part words
    [InlineData("rain \ud83d sun", "rain sun")] // half a surrogate pair
    [InlineData("rain\ud83c\udf27sun", "rain sun")]
    [InlineData("[SEP]", "[UNK] [UNK] [UNK]")] // special tokens in a text are nothing special
    public void SplitsIntoWordPieces(string text, string pieces)
    {
        var tokenizer = TextTokenizer.FromWordPieceVocabulary(TestVocabulary.Stream());
        Assert.Equal(pieces, string.Join(' ', tokenizer.Encode(text).Select(id => TestVocabulary.Pieces[id])));
        Assert.Equal(TestVocabulary.Pieces.Length, tokenizer.VocabularySize);
    }

    [SkippableFact]
    public void GivesTheIdsOfBertsOwnVocabulary()
    {
        var path = SharedFolder.Find("data/tokenizers/bert-base-uncased.vocab.txt");
        Skip.If(path is null, "The vocabulary of bert-base-uncased is not at hand.");
        var tokenizer = TextTokenizer.FromWordPieceVocabulary(path);
        Assert.Equal(30522, tokenizer.VocabularySize);
        Assert.Equal([7592, 1010, 2088, 999], tokenizer.Encode("hello, world!"));
    }

    [Fact]
    public void ReadsAVocabularyFile()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllLines(folder["vocabulary.txt"], TestVocabulary.Pieces);
        Assert.Equal(TestVocabulary.Pieces.Length, TextTokenizer.FromWordPieceVocabulary(folder["vocabulary.txt"]).VocabularySize);
        Assert.ThrowsAny<IOException>(() => TextTokenizer.FromWordPieceVocabulary(folder["nowhere.txt"]));
    }

    [Theory]
    [InlineData("", "[UNK]")]
    [InlineData("[UNK]\n[CLS]\n[SEP]\n[PAD]", "[MASK]")]
    [InlineData("[UNK]\nrain\n[CLS]\n[SEP]\n[PAD]\n[MASK]\nrain", "'rain' twice (line 7)")]
    public void ABadVocabularyIsRefused(string vocabulary, string named)
    {
        var error = Assert.Throws<ArgumentException>(
            () => TextTokenizer.FromWordPieceVocabulary(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(vocabulary))));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheModelCarriesItsVocabulary()
    {
        using var folder = new TemporaryFolder();
        using var model = Models.Fit(_ml, o => o.Tokenizer = TextTokenizer.FromWordPieceVocabulary(TestVocabulary.Stream()));
        _ml.Model.Save(model.LastTransformer, null, folder["model.zip"]);
        var texts = new[] { "rain and storm", "bread, café!", "" };
        var expected = Models.Score(_ml, model.LastTransformer, texts.Select(t => new Row { Text = t })).Select(s => s.Score);
        Assert.Equal(expected, FreshProcess.Score(folder["model.zip"], texts));
    }

    [Fact]
    public void TheModelCarriesATokenizerInHuggingFacesFiles()
    {
        using var folder = new TemporaryFolder();
        var tokenizer = HuggingFaceTokenizer.Load(new Dictionary<string, byte[]>
        {
            ["vocab.txt"] = TestVocabulary.Stream().ToArray(),
            ["tokenizer_config.json"] = """{"do_lower_case": true, "strip_accents": true}"""u8.ToArray(),
        });
        using var model = Models.Fit(_ml, o => o.Tokenizer = TextTokenizer.FromHuggingFace(tokenizer));
        _ml.Model.Save(model.LastTransformer, null, folder["model.zip"]);
        var texts = new[] { "rain and storm", "bread, café!", "" };
        var expected = Models.Score(_ml, model.LastTransformer, texts.Select(t => new Row { Text = t })).Select(s => s.Score);
        Assert.Equal(expected, FreshProcess.Score(folder["model.zip"], texts));
        using (var zip = ZipFile.OpenRead(folder["model.zip"]))
            Assert.Contains("HuggingFace.vocab.txt", zip.Entries.Select(e => e.Name));
        Assert.Throws<ArgumentException>(() => TextTokenizer.FromTokenizer("by name", tokenizer, tokenizer.VocabularySize));
    }

    [Fact]
    public void LearnsWithWordPieces()
    {
        using var model = Models.Fit(_ml, o => (o.Tokenizer, o.LinearBranch) = (TextTokenizer.FromWordPieceVocabulary(TestVocabulary.Stream()), false));
        var metrics = _ml.MulticlassClassification.Evaluate(model.Transform(_ml.Data.LoadFromEnumerable(Tables.Rows(60, seed: 2))));
        Assert.True(metrics.MicroAccuracy > 0.9, $"accuracy {metrics.MicroAccuracy}");
    }

    [Fact]
    public void OtherTokenizersAreFoundByName()
    {
        var tokenizer = TextTokenizer.FromTokenizer("letters of the test", new Letters(), 128);
        using var model = Models.Fit(_ml, o => o.Tokenizer = tokenizer);
        var zip = RoundTripTests.Save(model);

        var error = Record.Exception(() => RoundTripTests.Load(zip))!.GetBaseException();
        Assert.IsType<InvalidOperationException>(error);
        Assert.Contains("TextTokenizer.Register", error.Message, StringComparison.Ordinal);
        Assert.Contains("\"letters of the test\"", error.Message, StringComparison.Ordinal);

        TextTokenizer.Register(TextTokenizer.FromTokenizer("letters of the test", new Letters(), 129));
        error = Record.Exception(() => RoundTripTests.Load(zip))!.GetBaseException();
        Assert.Contains("129", error.Message, StringComparison.Ordinal);

        TextTokenizer.Register(tokenizer);
        using var again = (IDisposable)RoundTripTests.Load(zip);
        Models.AssertSame(Models.Score(_ml, model, Tables.Rows()), Models.Score(_ml, (ITransformer)again, Tables.Rows()));
    }

    [Fact]
    public void AnIdBeyondTheVocabularyIsReported()
    {
        var error = Assert.Throws<InvalidOperationException>(
            () => Models.Fit(_ml, o => o.Tokenizer = TextTokenizer.FromTokenizer("letters", new Letters(), 100)));
        Assert.Contains("100", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ArgumentsAreChecked()
    {
        Assert.Throws<ArgumentException>(() => TextTokenizer.FromTokenizer(" ", new Letters(), 128));
        Assert.Throws<ArgumentNullException>(() => TextTokenizer.FromTokenizer("letters", null!, 128));
        Assert.Throws<ArgumentOutOfRangeException>(() => TextTokenizer.FromTokenizer("letters", new Letters(), 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => TextTokenizer.FromTokenizer("letters", new Letters(), int.MaxValue));
        Assert.Throws<ArgumentNullException>(() => TextTokenizer.Register(null!));
        Assert.Throws<ArgumentNullException>(() => TextTokenizer.FromWordPieceVocabulary((Stream)null!));
        Assert.Throws<ArgumentException>(() => TextTokenizer.FromWordPieceVocabulary(""));
    }

    /// <summary>Every letter is a token, its ASCII code the id.</summary>
    private sealed class Letters : Tokenizer
    {
        public override System.Buffers.OperationStatus Decode(
            IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten) => throw new NotSupportedException();

        protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
        {
            var letters = text ?? textSpan.ToString();
            return new EncodeResults<EncodedToken>
            {
                Tokens = [.. letters.Select((c, i) => new EncodedToken(c, c.ToString(), new Range(i, i + 1)))],
                CharsConsumed = letters.Length,
            };
        }
    }
}
