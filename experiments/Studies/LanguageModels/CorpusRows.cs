using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tokenizers;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies.LanguageModels;

/// <summary>
/// Lines of a corpus as the rows that a model learns from: files take turns, row by row; one that has no more is passed over. Where more rows
/// are asked for than there are, all are read again, from another line on.
/// </summary>
/// <param name="tokenizer">The model's tokenizer.</param>
internal sealed class CorpusRows(HuggingFaceTokenizer tokenizer)
{
    private const int ShortestSpan = 16;
    private const int LongestSpan = 96;
    private const int StepsRound = 7;

    /// <summary>
    /// Rows for a causal model: an end token to begin with, then what comes of lines that follow one another, each with its end token. Every
    /// token of the lines is told once.
    /// </summary>
    /// <param name="files">Lines of each file.</param>
    /// <param name="length">Tokens of a row.</param>
    /// <param name="count">Number of rows; null for those of one reading.</param>
    /// <returns>The rows, and the characters of their lines, one for each end counted.</returns>
    public (IReadOnlyList<Example<EncodedText>> Rows, long Characters) Causal(IReadOnlyList<string[]> files, int length, int? count = null)
    {
        var end = tokenizer.SpecialTokens.End;
        var rows = new List<Example<EncodedText>>();
        var characters = 0L;
        foreach (var (ids, text) in Read(files, (lines, _) => Chunks(lines, length - 1), count))
        {
            rows.Add(new Example<EncodedText>(new EncodedText(new TokenIds([end, .. ids]), tokensCutOff: 0, isEmpty: false), 0f));
            characters += text;
        }

        return (rows, characters);
    }

    /// <summary>Rows for an encoder–decoder: lines that follow one another, 16 to 96 tokens together, with hidden spans.</summary>
    /// <param name="files">Lines of each file.</param>
    /// <param name="seed">Draws lengths and spans.</param>
    /// <param name="count">Number of rows; null for those of one reading.</param>
    public IReadOnlyList<Example<EncodedText>> Denoising(IReadOnlyList<string[]> files, int seed, int? count = null)
    {
        int[] sentinels = [.. Enumerable.Range(0, LongestSpan).Select(i => tokenizer.TokenId($"<extra_id_{i}>")).TakeWhile(id => id >= 0)];
        var denoising = new SpanDenoising(sentinels, tokenizer.SpecialTokens.End);
        var random = new Random(seed);
        return
        [
            .. Read(files, (lines, reading) => Spans(lines, new Random(seed + 1000 * reading + lines.Length)), count)
                .Select(ids => new Example<EncodedText>(denoising.Apply(ids, random), 0f)),
        ];
    }

    private static IEnumerable<T> Read<T>(IReadOnlyList<string[]> files, Func<string[], int, IEnumerable<T>> rowsOf, int? count)
    {
        var readings = Enumerable.Range(0, count is null ? 1 : int.MaxValue);
        var all = readings.SelectMany(reading => InTurn([.. files.Select(lines => rowsOf(Turned(lines, reading), reading))]));
        return count is { } rows ? all.Take(rows) : all;
    }

    private static string[] Turned(string[] lines, int reading)
    {
        var first = (int)((long)reading * lines.Length / StepsRound % lines.Length);
        return [.. lines[first..], .. lines[..first]];
    }

    private static IEnumerable<T> InTurn<T>(IReadOnlyList<IEnumerable<T>> files)
    {
        var readers = files.Select(file => file.GetEnumerator()).ToList();
        while (readers.Count > 0)
        {
            readers.RemoveAll(reader => !reader.MoveNext());
            foreach (var reader in readers)
                yield return reader.Current;
        }
    }

    private IEnumerable<(int[] Ids, long Characters)> Chunks(string[] lines, int length)
    {
        // a token's characters are counted where the token is; those of a line are spread evenly over its tokens
        var (ids, characters) = (new List<int>(length), 0.0);
        foreach (var line in lines)
        {
            int[] ofLine = [.. tokenizer.EncodeIds(line), tokenizer.SpecialTokens.End];
            var each = (line.Length + 1.0) / ofLine.Length;
            foreach (var id in ofLine)
            {
                ids.Add(id);
                characters += each;
                if (ids.Count < length)
                    continue;
                yield return ([.. ids], (long)Math.Round(characters));
                ids.Clear();
                characters = 0;
            }
        }
    }

    private IEnumerable<int[]> Spans(string[] lines, Random random)
    {
        var ids = new List<int>();
        var most = Next();
        foreach (var line in lines)
        {
            ids.AddRange(tokenizer.EncodeIds(line));
            while (ids.Count >= most)
            {
                yield return [.. ids[..most]];
                ids.Clear();
                most = Next();
            }
        }

        int Next() => random.Next(ShortestSpan, LongestSpan + 1);
    }
}
