using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.ML.Moe.Tokenizers;
using Original = Tokenizers.DotNet.Tokenizer;

namespace Microsoft.ML.Moe.Tests.Tokenizers;

/// <summary>
/// Hugging Face's own library (through the package Tokenizers.DotNet) against ours, on random texts, for the tokenizer.json of every golden
/// folder. <c>MLNETMOE_TOKENIZER_TEXTS</c> sets the number of texts, one million otherwise.
/// </summary>
[Trait("Category", "Goldens")]
public class HuggingFaceComparisonTests
{
    private const int Texts = 1_000_000;
    private const int Portion = 2000;
    private const int Shown = 25;

    [SkippableFact]
    public void A_million_random_texts_have_the_same_ids()
    {
        var root = Goldens.Root is null ? "" : Path.Combine(Goldens.Root, "tokenizers");
        Skip.IfNot(Directory.Exists(root), "There is no folder of golden tokenizers.");
        var files = Directory.GetFiles(root, "tokenizer.json", SearchOption.AllDirectories).Order().ToArray();
        Skip.If(files.Length == 0, "There is no golden tokenizer.json.");
        SkipWithoutLibrary(files[0]);
        var count = int.TryParse(Environment.GetEnvironmentVariable("MLNETMOE_TOKENIZER_TEXTS"), CultureInfo.InvariantCulture,
            out var texts)
            ? texts
            : Texts;
        var ours = files.Select(HuggingFaceTokenizer.Load).ToArray();
        var found = new ConcurrentQueue<string>();
        var compared = 0;
        Parallel.For(
            0,
            (count + Portion - 1) / Portion,
            new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount },
            () => new Original?[files.Length],
            (portion, _, originals) =>
            {
                var file = portion % files.Length;
                var original = originals[file] ??= new Original(files[file]);
                var random = new RandomTexts(portion, TokensOf(ours[file]));
                for (var i = 0; i < Portion; i++)
                    Compare(random.Next(), original, ours[file], Path.GetRelativePath(root, files[file]), found);
                Interlocked.Add(ref compared, Portion);
                return originals;
            },
            originals => Array.ForEach(originals, o => o?.Dispose()));
        Assert.True(found.IsEmpty, $"{found.Count} of {compared} texts differ:\n{string.Join('\n', found.Take(Shown))}");
        Assert.True(compared >= count);
    }

    private static void Compare(string text, Original original, HuggingFaceTokenizer ours, string file, ConcurrentQueue<string> found)
    {
        var expected = original.Encode(text);
        int[] actual;
        try
        {
            var encoding = ours.Encode(text, truncation: ours.Truncation);
            ours.Padding?.Apply(encoding);
            actual = encoding.Ids;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            found.Enqueue($"{file}: '{Show(text)}': {e.GetType().Name} {e.Message}");
            return;
        }

        if (!actual.Select(id => (uint)id).SequenceEqual(expected))
            found.Enqueue($"{file}: '{Show(text)}': expected [{string.Join(' ', expected)}], is [{string.Join(' ', actual)}]");
    }

    private static string Show(string text) =>
        string.Concat(text.EnumerateRunes().Select(r => r.Value is > 0x20 and < 0x7F ? r.ToString() : $"\\u{{{r.Value:X}}}"));

    /// <summary>Added tokens of the tokenizer, and a few that are none.</summary>
    private static List<string> TokensOf(HuggingFaceTokenizer tokenizer) =>
        [.. tokenizer.AddedTokens.Select(t => t.Content), "<s>", "[MASK]", "<|endoftext|>", "##ing", "▁the"];

    private static void SkipWithoutLibrary(string file)
    {
        try
        {
            using var tokenizer = new Original(file);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException or TypeInitializationException)
        {
            Skip.If(true, $"The native library of Tokenizers.DotNet does not load: {e.Message}");
        }
    }
}
