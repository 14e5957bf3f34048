using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Experiments.Data;

/// <summary>
/// A vocabulary that SentencePiece's <c>spm_train --model_type=unigram --byte_fallback</c> has written, as a <c>tokenizer.json</c>. Texts are
/// not normalised, and what no piece covers becomes bytes: nothing of a text is lost, so that bits per character can be compared.
/// </summary>
internal static class UnigramVocabulary
{
    private const string Mark = "▁";
    private const string Unknown = "<unk>";

    /// <summary>Reads the file.</summary>
    /// <param name="file">Lines of piece, tab and score, as <c>*.vocab</c>; begins with pad, end and unknown token.</param>
    /// <param name="sentinels">Number of tokens <c>&lt;extra_id_0&gt;</c> … that are added.</param>
    /// <param name="appendsEnd">Whether a text is given its end token, as encoder–decoders want it.</param>
    public static HuggingFaceTokenizer Read(string file, int sentinels, bool appendsEnd)
    {
        var pieces = new List<(string Text, double Score)>();
        foreach (var (number, line) in File.ReadLines(file, Encoding.UTF8).Index())
        {
            var tab = line.LastIndexOf('\t');
            if (tab < 0 || !double.TryParse(line.AsSpan(tab + 1), CultureInfo.InvariantCulture, out var score))
                throw new UserException($"'{file}', line {number + 1}: a piece, a tab and a score are expected, as spm_train writes them.");
            pieces.Add((line[..tab], score));
        }

        if (pieces is not [(NewTokenizer.Padding, _), (NewTokenizer.End, _), (Unknown, _), ..])
        {
            throw new UserException(
                $"'{file}' does not begin with {NewTokenizer.Padding}, {NewTokenizer.End}, {Unknown}: train it with --pad_id=0 --eos_id=1 "
                + "--unk_id=2 --bos_id=-1.");
        }
        return Create(pieces, sentinels, appendsEnd);
    }

    /// <summary>Makes a tokenizer of pieces.</summary>
    public static HuggingFaceTokenizer Create(IReadOnlyList<(string Text, double Score)> pieces, int sentinels, bool appendsEnd) => new NewTokenizer
    {
        Model = new JsonObject
        {
            ["type"] = "Unigram",
            ["unk_id"] = 2,
            ["vocab"] = new JsonArray([.. pieces.Select(p => (JsonNode)new JsonArray(p.Text, p.Score))]),
            ["byte_fallback"] = true,
        },
        PreTokenizer = new JsonObject { ["type"] = "Metaspace", ["replacement"] = Mark, ["prepend_scheme"] = "always", ["split"] = true },
        Decoder = new JsonObject
        {
            ["type"] = "Sequence",
            ["decoders"] = new JsonArray(
                new JsonObject { ["type"] = "Replace", ["pattern"] = new JsonObject { ["String"] = Mark }, ["content"] = " " },
                new JsonObject { ["type"] = "ByteFallback" },
                new JsonObject { ["type"] = "Fuse" },
                new JsonObject { ["type"] = "Strip", ["content"] = " ", ["start"] = 1, ["stop"] = 0 }),
        },
        ModelTokens = pieces.Count,
        Unknown = Unknown,
        Sentinels = sentinels,
        AppendsEnd = appendsEnd,
    }.Create();
}
