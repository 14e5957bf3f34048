using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Tests.Inputs;

/// <summary>What tokens read as, for people.</summary>
public class TokenTextTests
{
    [Fact]
    public void Words_read_as_they_are_and_start_tokens_are_marked() =>
        Assert.Equal(
            ["[start]", "it", "'", "s", "fun", "[start]", "日", "本"],
            Texts(TableTextInput.Create(new() { MaximumTokens = 16, HashBits = 8 }), "It's FUN", "日本"));

    [Fact]
    public void Cut_off_words_are_not_there() =>
        Assert.Equal(
            ["[start]", "a", "b", "c", "[start]", "x", "y", "z"],
            Texts(TableTextInput.Create(new() { MaximumTokens = 8, HashBits = 8 }), "a b c d e", "x y z u v"));

    [Fact]
    public void Subwords_read_as_the_tokenizer_says_and_by_number_where_it_does_not() =>
        Assert.Equal(["[start]", "ab", "[1]", "[2]"], Texts(TableTextInput.Create(new() { MaximumTokens = 16 }, new ThreeIds()), "any"));

    [Fact]
    public void A_tokenizer_need_not_tell_texts() =>
        Assert.Equal(["[start]", "[0]"], Texts(TableTextInput.Create(new() { MaximumTokens = 16 }, new Mute()), "any"));

    [Fact]
    public void A_masked_token_is_marked() =>
        Assert.Equal("[masked]", TableTextInput.Create(new() { MaximumTokens = 16, HashBits = 8 }).TextOf(TableTextInput.Masked));

    private static string[] Texts(TableTextInput input, string first, string? second = null) =>
        [.. input.Encode(first, second).Tokens.Select(input.TextOf)];

    private sealed class ThreeIds : ISubwordTokenizer
    {
        public int VocabularySize => 3;

        public IReadOnlyList<int> Encode(string text) => [0, 1, 2];

        public string? TextOf(int id) => id switch { 0 => "ab", 1 => "", _ => null };
    }

    private sealed class Mute : ISubwordTokenizer
    {
        public int VocabularySize => 1;

        public IReadOnlyList<int> Encode(string text) => [0];
    }
}
