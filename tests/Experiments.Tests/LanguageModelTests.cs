using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Studies.LanguageModels;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Experiments.Tests;

public class LanguageModelTests
{
    private static readonly HuggingFaceTokenizer Bytes = ByteTokenizer.Create(sentinels: 8);

    private static readonly string[][] Files =
    [
        [.. Enumerable.Range(0, 40).Select(i => $"the first file, line {i}")],
        [.. Enumerable.Range(0, 10).Select(i => $"zweite Datei – Zeile {i}")],
    ];

    [Theory]
    [InlineData("the cat")]
    [InlineData("a  double space")]
    [InlineData("Größe 7 – 木 🙂")]
    public void A_vocabulary_of_pieces_loses_nothing(string text)
    {
        var tokenizer = UnigramVocabulary.Create(Pieces(), sentinels: 2, appendsEnd: true);

        var ids = tokenizer.EncodeIds(text);

        Assert.DoesNotContain(2, ids);
        Assert.Equal(text, tokenizer.Decode(ids, skipSpecialTokens: true));
        Assert.Equal([.. ids, 1], tokenizer.AddSpecialTokens(ids, [], isPair: false).Ids);
        Assert.Equal(tokenizer.VocabularySize - 2, tokenizer.TokenId("<extra_id_0>"));
    }

    [Fact]
    public void Pieces_are_taken_where_there_are_some()
    {
        var tokenizer = UnigramVocabulary.Create(Pieces(), sentinels: 0, appendsEnd: false);

        Assert.Equal(["▁the", "▁cat"], tokenizer.EncodeIds("the cat").Select(id => tokenizer.TokenText(id)));
    }

    [Fact]
    public void A_file_of_pieces_is_read()
    {
        using var folder = new TemporaryFolder();
        folder.Write("p.vocab", [.. Pieces().Select(p => FormattableString.Invariant($"{p.Text}\t{p.Score}"))]);
        Assert.Equal(Pieces().Count, Read().VocabularySize);
        folder.Write("p.vocab", ["a\t-1"]);
        Assert.Contains("--pad_id=0", Assert.Throws<UserException>(Read).Message, StringComparison.Ordinal);
        folder.Write("p.vocab", ["<pad>\t0", "</s>\t0", "<unk> 0"]);
        Assert.Contains("line 3", Assert.Throws<UserException>(Read).Message, StringComparison.Ordinal);

        HuggingFaceTokenizer Read() => UnigramVocabulary.Read(Path.Combine(folder.Path, "p.vocab"), 0, appendsEnd: false);
    }

    [Fact]
    public void Rows_of_a_causal_model_have_every_token_once()
    {
        var (rows, characters) = new CorpusRows(Bytes).Causal(Files, length: 32);

        foreach (var file in Files)
        {
            int[] all = [.. file.SelectMany(line => (int[])[.. Bytes.EncodeIds(line), 1])];
            var own = rows.Select(row => row.Input.Ids!.Ids).Where(ids => all.AsSpan().IndexOf(ids.AsSpan(1)) >= 0).ToList();
            Assert.Equal(all.Length / 31, own.Count);
            Assert.All(own, ids => Assert.Equal((32, 1), (ids.Length, ids[0])));
            Assert.Equal(all[..(all.Length / 31 * 31)], own.SelectMany(ids => ids[1..]));
        }

        // a token of the first file is a character; the second file has some of two bytes
        Assert.InRange(characters, rows.Count * 31 * 9 / 10, rows.Count * 31);
    }

    [Fact]
    public void More_rows_than_there_are_begin_elsewhere()
    {
        var rows = new CorpusRows(Bytes);
        var one = rows.Causal(Files, length: 32).Rows.Count;

        var more = rows.Causal(Files, length: 32, count: 2 * one).Rows;

        Assert.Equal(2 * one, more.Count);
        Assert.NotEqual(more[0].Input.Ids!.Ids, more[one].Input.Ids!.Ids);
    }

    [Fact]
    public void Rows_with_hidden_spans_depend_on_the_seed_alone()
    {
        var rows = new CorpusRows(Bytes);
        var one = rows.Denoising(Files, seed: 1, count: 20);

        Assert.Equal(20, one.Count);
        Assert.Equal(
            one.Select(row => string.Join(' ', row.Input.Ids!.Ids)),
            rows.Denoising(Files, seed: 1, count: 20).Select(row => string.Join(' ', row.Input.Ids!.Ids)));
        Assert.NotEqual(one[0].Input.Ids!.Ids, rows.Denoising(Files, seed: 2, count: 20)[0].Input.Ids!.Ids);
        Assert.All(one, row => Assert.Contains(Bytes.TokenId("<extra_id_0>"), row.Input.Ids!.Ids));
    }

    private static List<(string Text, double Score)> Pieces() =>
    [
        ("<pad>", 0), ("</s>", 0), ("<unk>", 0),
        .. Enumerable.Range(0, 256).Select(b => ($"<0x{b:X2}>", 0.0)),
        ("▁", -4), ("▁the", -3), ("▁cat", -3.5), ("▁a", -3.5), .. "abcdefghijklmnopqrstuvwxyz".Select(c => (c.ToString(), -6.0)),
    ];
}
