using System.Text.Json;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>
/// Published models write what they write in the library that they come from, on any engine: greedily and by beam search, with what is kept of
/// earlier tokens and without.
/// </summary>
[Trait("Category", "Goldens")]
public abstract class GoldenGenerationTests
{
    private const string NoFolder = "";

    public static IEnumerable<object[]> Folders { get; } = [.. Goldens.Folders("models").Where(HasSequences)
        .Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(NoFolder)
        .SelectMany(name => new object[][] { [name, true], [name, false] })];

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void WritesWhatTheOriginalWrites(string name, bool cached)
    {
        Skip.If(name == NoFolder, "There are no goldens of models that write: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "models", name);
        using var golden = GoldenModel.Open(path);
        using var engine = CreateEngine();
        var model = GoldenGenerativeModel.Open(path, engine, cached);
        Skip.If(model is null, $"Models such as {name} are not known here.");
        var tokenizer = File.Exists(Path.Combine(path, "tokenizer.json")) ? HuggingFaceTokenizer.Load(path) : null;
        Assert.All(GoldenAnswers.Of(golden), entry => Compare(entry, model!(entry.IsPaddedLeft), tokenizer, cached));
    }

    private static void Compare(GoldenAnswers entry, IGenerativeModel model, HuggingFaceTokenizer? tokenizer, bool cached)
    {
        if (entry.Tokens(cached) is not { } expected)
            return;
        var recorder = new ScoreRecorder(model);
        var decode = tokenizer is null ? null : (Func<IReadOnlyList<int>, string>)(ids => tokenizer.Decode(ids, skipSpecialTokens: true));
        var answers = new Generator(recorder, entry.Options, decode).Generate(entry.Prompts).SelectMany(a => a).ToList();

        Assert.Equal(expected.Length, answers.Count);
        for (var i = 0; i < answers.Count; i++)
        {
            Assert.True(
                expected[i].AsSpan().SequenceEqual(answers[i].Tokens),
                $"{entry.Name}, answer {i}: {string.Join(' ', answers[i].Tokens)}, not {string.Join(' ', expected[i])}");
            var isEnded = entry.Options.EndTokens.Contains(answers[i].Tokens[^1]);
            Assert.Equal(isEnded ? GenerationEnd.EndToken : GenerationEnd.Length, answers[i].End);
        }

        if (entry.Scores(cached) is { } scores)
            GoldenNumbers.Close(scores, [.. answers.Select(a => (float)a.Score)], $"{entry.Name} scores");
        if (decode is not null && entry.Texts() is { } texts)
            Assert.Equal(texts, answers.Select(a => a.Text!));
        if (entry.Options.Beams == 1)
            CompareSteps(entry, recorder, answers, cached);
    }

    /// <summary>The scores that each token was chosen by.</summary>
    private static void CompareSteps(GoldenAnswers entry, ScoreRecorder recorder, List<GeneratedSequence> answers, bool cached)
    {
        var processors = new ScoreProcessors(entry.Options);
        for (var row = 0; row < answers.Count; row++)
        {
            for (var step = 0; step < answers[row].Tokens.Length; step++)
            {
                var what = $"{entry.Name}, row {row}, step {step}";
                var scores = recorder.Scores[step][row];
                if (entry.StepScores(row, step, changed: false, cached) is { } logits)
                    GoldenNumbers.Close(logits, scores, what);
                if (entry.StepScores(row, step, changed: true, cached) is not { } expected)
                    continue;
                int[] tokens = [.. recorder.Contexts[row], .. answers[row].Tokens.Take(step)];
                processors.Apply(new SequenceSoFar(tokens, recorder.Contexts[row].Length, int.MaxValue), scores);
                var (prompt, banned) = (row, expected.Select(IsBanned).ToArray());
                Assert.All(
                    Enumerable.Range(0, scores.Length).Where(token => entry.Counts(prompt, token)),
                    token => Assert.Equal(banned[token], IsBanned(scores[token])));
                GoldenNumbers.Close(
                    [.. expected.Select(s => IsBanned(s) ? 0f : s)],
                    [.. scores.Select(s => IsBanned(s) ? 0f : s)],
                    what,
                    token => entry.Counts(prompt, token));
            }
        }
    }

    private static bool IsBanned(float score) => score < -1e37f;

    private static bool HasSequences(string folder)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")));
        return json.RootElement.TryGetProperty("sequences", out var sequences) && sequences.ValueKind == JsonValueKind.Object
            && sequences.EnumerateObject().Any();
    }

    /// <summary>A model whose scores are kept.</summary>
    private sealed class ScoreRecorder(IGenerativeModel model) : IGenerativeModel
    {
        public int VocabularySize => model.VocabularySize;

        public int MaximumTokens => model.MaximumTokens;

        public int ContextLength(int[] prompt) => model.ContextLength(prompt);

        public void CheckPrompt(int[] prompt, string name) => model.CheckPrompt(prompt, name);

        /// <summary>Scores of each step and sequence.</summary>
        public List<float[][]> Scores { get; } = [];

        public List<int[]> Contexts { get; } = [];

        public Decoding Begin(IReadOnlyList<int[]> prompts, int copies, int capacity)
        {
            var decoding = model.Begin(prompts, copies, capacity);
            Contexts.AddRange(Enumerable.Range(0, decoding.Sequences).Select(sequence => decoding.ContextOf(sequence).ToArray()));
            return new Recorded(this, decoding);
        }

        private sealed class Recorded(ScoreRecorder recorder, Decoding decoding) : Decoding
        {
            public override int Sequences => decoding.Sequences;

            public override int VocabularySize => decoding.VocabularySize;

            public override ReadOnlySpan<int> ContextOf(int sequence) => decoding.ContextOf(sequence);

            public override void Next(ReadOnlySpan<int> tokens, Span<float> scores)
            {
                decoding.Next(tokens, scores);
                recorder.Scores.Add([.. scores.ToArray().Chunk(VocabularySize)]);
            }

            public override void Reorder(ReadOnlySpan<int> sources) => decoding.Reorder(sources);

            protected override void Dispose(bool disposing) => decoding.Dispose();
        }
    }
}
