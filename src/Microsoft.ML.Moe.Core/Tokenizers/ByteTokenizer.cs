using System.Text.Json.Nodes;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// Tokenizers whose tokens are the 256 bytes of UTF-8, for models that begin from scratch (Xue et al. 2022, "ByT5"): byte-level BPE without
/// merges. Every text can be written, nothing has to be learned of a corpus, and sequences are about four times as long as with a vocabulary of
/// some thousand pieces.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// Model<EncodedText> model = new LanguageModelConfig().Create(engine, ByteTokenizer.Create());
/// ]]></code>
/// </example>
public static class ByteTokenizer
{
    private const int SpecialTokens = 2;

    /// <summary>Makes a tokenizer: padding is id 0, the end token 1, byte b 2 + b, and sentinels follow.</summary>
    /// <param name="sentinels">
    /// Number of tokens <c>&lt;extra_id_0&gt;</c> … behind which an encoder–decoder's pretraining hides text. Within [0, 1000]. Default 0.
    /// </param>
    /// <param name="appendsEnd">Whether a text is given its end token, as encoder–decoders want it. Default false.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="sentinels"/> lies outside its range.</exception>
    public static HuggingFaceTokenizer Create(int sentinels = 0, bool appendsEnd = false)
    {
        OptionCheck.Range(sentinels, 0, 1000, nameof(sentinels));
        var vocabulary = new JsonObject { [NewTokenizer.Padding] = 0, [NewTokenizer.End] = 1 };
        for (var value = 0; value <= byte.MaxValue; value++)
            vocabulary[ByteLevelAlphabet.CharacterOf((byte)value).ToString()] = SpecialTokens + value;
        return new NewTokenizer
        {
            Model = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray() },
            PreTokenizer = Whole(),
            Decoder = Whole(),
            ModelTokens = SpecialTokens + byte.MaxValue + 1,
            Sentinels = sentinels,
            AppendsEnd = appendsEnd,
        }.Create();
    }

    private static JsonObject Whole() => new()
    {
        ["type"] = "ByteLevel",
        ["add_prefix_space"] = false,
        ["trim_offsets"] = false,
        ["use_regex"] = false,
    };
}
