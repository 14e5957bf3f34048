using System.Buffers;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.Contract.Tests;

public sealed class TokenizerTests
{
    private const string Vocabulary =
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\nun\n##aff\n##able\n,\n!\n中\n国\ncafe\ncafé\nHello\n##s\na\n##1\n";

    [Fact]
    public void WordsAreSplitIntoTheLongestPieces()
    {
        var tokenizer = WordPieceTokenizer.Create(Stream(Vocabulary));
        Assert.Equal([5, 6], tokenizer.EncodeToIds("hello world"));
        Assert.Equal([7, 8, 9], tokenizer.EncodeToIds("unaffable"));
        Assert.Equal([5, 17, 1], tokenizer.EncodeToIds("hellos unknown"));
        Assert.Equal([1], tokenizer.EncodeToIds("world!")); // white space alone separates words
        Assert.Equal([5], tokenizer.EncodeToIds("  hello\t\n"));
        Assert.Empty(tokenizer.EncodeToIds(""));
        Assert.Empty(tokenizer.EncodeToIds("   "));
        Assert.Equal([18, 19], tokenizer.EncodeToIds("a1".AsSpan()));
        Assert.Equal("[UNK]", tokenizer.UnknownToken);
        Assert.Equal(1, tokenizer.UnknownTokenId);
        Assert.Equal("##", tokenizer.ContinuingSubwordPrefix);
        Assert.Equal(100, tokenizer.MaxInputCharsPerWord);
    }

    [Fact]
    public void AWordLongerThanAllowedIsUnknown()
    {
        var tokenizer = WordPieceTokenizer.Create(Stream(Vocabulary), new WordPieceOptions { MaxInputCharsPerWord = 5 });
        Assert.Equal([5, 1], tokenizer.EncodeToIds("hello unaffable"));
        Assert.ThrowsAny<ArgumentException>(
            () => WordPieceTokenizer.Create(Stream(Vocabulary), new WordPieceOptions { MaxInputCharsPerWord = 0 }));
        Assert.ThrowsAny<ArgumentException>(() => WordPieceTokenizer.Create(Stream("a\nb\n")));
    }

    [Fact]
    public void TokensSayWhereTheyStand()
    {
        var tokenizer = WordPieceTokenizer.Create(Stream(Vocabulary));
        var tokens = tokenizer.EncodeToTokens("hello  unaffable xyz", out var normalized);
        Assert.Null(normalized);
        Assert.Equal([5, 7, 8, 9, 1], tokens.Select(t => t.Id));
        Assert.Equal(["hello", "un", "##aff", "##able", "[UNK]"], tokens.Select(t => t.Value));
        Assert.Equal([0..5, 7..9, 9..12, 12..16, 17..20], tokens.Select(t => t.Offset));
        Assert.Equal(5, tokenizer.CountTokens("hello  unaffable xyz"));
    }

    [Fact]
    public void ALimitCutsAtWords()
    {
        var tokenizer = WordPieceTokenizer.Create(Stream(Vocabulary));
        Assert.Equal([5], tokenizer.EncodeToIds("hello unaffable", 3, out _, out var consumed));
        Assert.Equal(5, consumed);
        Assert.Equal([5, 7, 8, 9], tokenizer.EncodeToIds("hello unaffable world", 4, out _, out _));
        Assert.Equal([5, 6], tokenizer.EncodeToIds("hello world", 10, out _, out consumed));
        Assert.Equal(11, consumed);
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.EncodeToIds("hello", 0, out _, out _));
    }

    [Fact]
    public void DecodingJoinsThePieces()
    {
        var tokenizer = WordPieceTokenizer.Create(Stream(Vocabulary));
        Assert.Equal("hello unaffable, world!", tokenizer.Decode([5, 7, 8, 9, 10, 6, 11]));
        Assert.Equal("", tokenizer.Decode([]));
        Span<char> destination = new char[8];
        Assert.Equal(OperationStatus.DestinationTooSmall, tokenizer.Decode([5, 6], destination, out var ids, out var chars));
        Assert.Equal(1, ids);
        Assert.Equal(5, chars);
        Assert.Equal("hello", destination[..chars].ToString());
    }

    [Fact]
    public void BertLowerCasesAndSplitsPunctuation()
    {
        Tokenizer tokenizer = BertTokenizer.Create(Stream(Vocabulary));
        Assert.Equal([5, 10, 6, 11], tokenizer.EncodeToIds("Hello, WORLD!"));
        Assert.Equal([12, 13], tokenizer.EncodeToIds("中国"));
        Assert.Equal([15, 15], tokenizer.EncodeToIds("café CAFÉ"));
        Assert.Equal([5, 6], tokenizer.EncodeToIds("hello\u00A0world"));
        Assert.Equal([5, 6], tokenizer.EncodeToIds("hel\0lo +$ wor\uFFFDld")); // symbols are no words, control characters nothing
        Assert.Equal([2, 5, 3], tokenizer.EncodeToIds("[CLS] hello [SEP]"));
    }

    [Fact]
    public void BertAddsSpecialTokensWhenCalledByItsOwnName()
    {
        var tokenizer = BertTokenizer.Create(Stream(Vocabulary));
        Assert.Equal([2, 5, 3], tokenizer.EncodeToIds("hello"));
        Assert.Equal([5], tokenizer.EncodeToIds("hello", addSpecialTokens: false));
        Assert.Equal([5], ((Tokenizer)tokenizer).EncodeToIds("hello"));
        Assert.Equal([2, 5, 3, 6, 3], tokenizer.BuildInputsWithSpecialTokens([5], [6]));
        Assert.Equal((2, 3), (tokenizer.ClassificationTokenId, tokenizer.SeparatorTokenId));
        Assert.Equal((0, 4), (tokenizer.PaddingTokenId, tokenizer.MaskingTokenId));
    }

    [Fact]
    public void BertOptionsChangeTheNormalising()
    {
        Tokenizer cased = BertTokenizer.Create(Stream(Vocabulary), new BertOptions { LowerCaseBeforeTokenization = false });
        Assert.Equal([16, 1], cased.EncodeToIds("Hello WORLD"));
        Tokenizer plain = BertTokenizer.Create(Stream(Vocabulary), new BertOptions { RemoveNonSpacingMarks = true });
        Assert.Equal([14], plain.EncodeToIds("cafe\u0301"));
        Tokenizer joined = BertTokenizer.Create(Stream(Vocabulary), new BertOptions { IndividuallyTokenizeCjk = false });
        Assert.Equal([1], joined.EncodeToIds("中国"));
        Tokenizer whole = BertTokenizer.Create(Stream(Vocabulary), new BertOptions { SplitOnSpecialTokens = false });
        Assert.Equal([1, 1, 1], whole.EncodeToIds("[CLS]"));
        Tokenizer spaced = BertTokenizer.Create(Stream(Vocabulary), new BertOptions { ApplyBasicTokenization = false });
        Assert.Equal([1, 6], spaced.EncodeToIds("hello, world"));
    }

    [Fact]
    public void BertNeedsItsSpecialTokens() =>
        Assert.ThrowsAny<Exception>(() => BertTokenizer.Create(Stream("[UNK]\nhello\n")));

    [Fact]
    public void AVocabularyComesFromAFileToo()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("vocab.txt", Vocabulary);
        Assert.Equal([5], WordPieceTokenizer.Create(path).EncodeToIds("hello"));
        Assert.Equal([2, 5, 3], BertTokenizer.Create(path).EncodeToIds("hello"));
        folder.Write("vocab.txt", "[UNK]\n\nhello\n"); // an empty line counts, but is no piece
        Assert.Equal([2], WordPieceTokenizer.Create(path).EncodeToIds("hello"));
    }

    [Fact]
    public void ATokenizerOfOnesOwnNeedsLittle()
    {
        Tokenizer letters = new Letters();
        Assert.Equal([0, 1, 2], letters.EncodeToIds("abc"));
        Assert.Equal([0], letters.EncodeToIds("a".AsSpan()));
        Assert.Equal(3, letters.CountTokens("abc"));
        Assert.Equal("b", letters.EncodeToTokens("abc", out _)[1].Value);
        Assert.Equal("cab", letters.Decode([2, 0, 1]));
        Assert.Equal(new string('a', 5000), letters.Decode(Enumerable.Repeat(0, 5000)));
        Assert.Null(letters.Normalizer);
        Assert.Null(letters.PreTokenizer);
    }

    [SkippableTheory]
    [InlineData(
        "Unaffable [MASK] nai\u0308ve cafe\u0301, tokenization 2024!",
        new[] { 14477, 20961, 3468, 103, 15743, 7668, 1010, 19204, 3989, 16798, 2549, 999 })]
    [InlineData("The quick brown fox jumps over the lazy dog.", new[] { 1996, 4248, 2829, 4419, 14523, 2058, 1996, 13971, 3899, 1012 })]
    public void IdsOfBertBaseUncased(string text, int[] ids)
    {
        var path = Shared("data/tokenizers/bert-base-uncased.vocab.txt");
        Skip.If(path == null, "The shared data is not beside the repository.");
        Tokenizer tokenizer = BertTokenizer.Create(path, new BertOptions { RemoveNonSpacingMarks = true });
        Assert.Equal(ids, tokenizer.EncodeToIds(text));
    }

    private static MemoryStream Stream(string text) => new(Encoding.UTF8.GetBytes(text));

    private static string Shared(string file)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder != null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Directory.Packages.props")))
                return Path.Combine(folder.FullName, "..", "shared", file) is var path && File.Exists(path) ? path : null;
        return null;
    }

    private sealed class Letters : Tokenizer
    {
        public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
        {
            (idsConsumed, charsWritten) = (0, 0);
            foreach (var id in ids)
            {
                if (charsWritten == destination.Length)
                    return OperationStatus.DestinationTooSmall;
                destination[charsWritten++] = (char)('a' + id);
                idsConsumed++;
            }

            return OperationStatus.Done;
        }

        protected override EncodeResults<EncodedToken> EncodeToTokens(string text, ReadOnlySpan<char> textSpan, EncodeSettings settings) =>
            new()
            {
                Tokens = [.. textSpan.ToString().Select((c, i) => new EncodedToken(c - 'a', c.ToString(), i..(i + 1)))],
                CharsConsumed = textSpan.Length,
            };
    }
}
