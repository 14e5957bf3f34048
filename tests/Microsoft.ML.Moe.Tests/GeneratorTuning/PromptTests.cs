using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Tensors;
using static Microsoft.ML.Moe.Tests.GeneratorTuning.TunedGenerators;

namespace Microsoft.ML.Moe.Tests.GeneratorTuning;

/// <summary>How rows become prompts: templates, and windows of long contexts.</summary>
public sealed class PromptTests : IDisposable
{
    private readonly TunedGenerators _models = new();
    private readonly MLContext _ml = new(seed: 1);

    public void Dispose() => _models.Dispose();

    [Theory]
    [InlineData("{A}", "1", "A")]
    [InlineData("say {A} or {B}, {A}", "say 1 or 2, 1", "A", "B")]
    [InlineData("{{{A}}} {{}}", "{1} {}", "A")]
    [InlineData("{A b}", "1", "A b")]
    public void ATemplateHasWordsAndColumns(string text, string formatted, params string[] columns)
    {
        PromptTemplate template = text;
        Assert.Equal(columns, template.Columns);
        Assert.Equal(formatted, template.Format(["1", "2"]));
        Assert.Equal(text, template.ToString());
        Assert.Equal(template, PromptTemplate.Parse(text));
    }

    [Theory]
    [InlineData("no column")]
    [InlineData("{A")]
    [InlineData("A}")]
    [InlineData("{}")]
    [InlineData("{A{B}}")]
    public void ABraceWithoutAColumnIsNamed(string text) =>
        Assert.Contains("\"" + text + "\"", Assert.Throws<ArgumentException>(() => PromptTemplate.Parse(text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(GlueTask.Cola, "cola sentence: {sentence}")]
    [InlineData(GlueTask.Sst2, "sst2 sentence: {sentence}")]
    [InlineData(GlueTask.Mrpc, "mrpc sentence1: {sentence1} sentence2: {sentence2}")]
    [InlineData(GlueTask.Stsb, "stsb sentence1: {sentence1} sentence2: {sentence2}")]
    [InlineData(GlueTask.Qqp, "qqp question1: {question1} question2: {question2}")]
    [InlineData(GlueTask.Mnli, "mnli premise: {premise} hypothesis: {hypothesis}")]
    [InlineData(GlueTask.Qnli, "qnli question: {question} sentence: {sentence}")]
    [InlineData(GlueTask.Rte, "rte sentence1: {sentence1} sentence2: {sentence2}")]
    [InlineData(GlueTask.Wnli, "wnli sentence1: {sentence1} sentence2: {sentence2}")]
    public void PromptsOfGlueAreThePapers(GlueTask task, string expected)
    {
        Assert.Equal(expected, PromptTemplate.Glue(task).ToString());
        Assert.Throws<ArgumentException>(() => PromptTemplate.Glue(task, "a", "b", "c"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Context")]
    public void WindowsShowTheWholeContextAndOverlap(string? column)
    {
        var context = string.Concat(Enumerable.Range(0, 60).Select(i => (char)('a' + i % 26)));
        var encoder = Encoder("q {Source} c {Context}", new ContextWindows { ColumnName = column, Overlap = 4 }, maximumTokens: 20);
        var windows = encoder.Windows(["xy", context]);
        var whole = column is null ? "q xy c " + context : context;
        Assert.All(windows, window => Assert.InRange(window.Prompt.Length, 1, 20));
        Assert.Equal(whole[..windows[0].Text.Length], windows[0].Text);
        Assert.EndsWith(windows[^1].Text, whole, StringComparison.Ordinal);
        for (var i = 1; i < windows.Count; i++)
            Assert.Equal(windows[i - 1].Text[^4..], windows[i].Text[..4]);
        // nothing is left out
        Assert.Equal(whole, windows.Skip(1).Aggregate(windows[0].Text, (text, window) => text + window.Text[4..]));
        if (column is not null)
            Assert.All(windows, window => Assert.Contains("qxyc", Letters(window.Prompt), StringComparison.Ordinal));
        var row = encoder.Encode(["xy", context]);
        Assert.Equal(windows.Count - 1, row.FurtherWindows.Count);
        Assert.Empty(encoder.Encode(["xy", "abc"]).FurtherWindows);
    }

    [SkippableFact]
    public void WindowsOfAPublishedTokenizerLeaveNothingOut()
    {
        var folder = Goldens.Folders("models").FirstOrDefault(path => path.EndsWith("switch-text", StringComparison.Ordinal));
        Skip.If(folder is null, "The golden model switch-text is not there.");
        using var model = _ml.Transforms.Text.GenerateText("Prediction", "Source", PublishedModel.FromFolder(folder))
            .Fit(_ml.Data.LoadFromEnumerable(LetterRows(1)));
        var encoder = new PromptEncoder(
            model.Generator, PromptTemplate.QuestionAnswering("Question", "Context"), 64, new ContextWindows { ColumnName = "Context", Overlap = 16 });
        var context = string.Join(' ', Enumerable.Range(0, 60).Select(i => $"In the year {1900 + i}, the river rose by {i} feet — naïve, isn't it?"));
        var windows = encoder.Windows(["when did it rise?", context]);
        var (end, start) = (0, 0);
        foreach (var window in windows)
        {
            Assert.InRange(window.Prompt.Length, 1, 64);
            start = context.IndexOf(window.Text, start, StringComparison.Ordinal);
            Assert.InRange(start, 0, Math.Max(0, end - 1));
            end = start + window.Text.Length;
            Assert.StartsWith("question: when did it rise?", model.Generator.TextOf(window.Prompt.Ids!.Ids), StringComparison.Ordinal);
        }

        Assert.Equal(context.Length, end);
    }

    [Fact]
    public void WindowsWithoutRoomAreAnError()
    {
        var encoder = Encoder("{Source} {Context}", new ContextWindows { ColumnName = "Context", Overlap = 4 }, maximumTokens: 20);
        Assert.Contains("Overlap", Assert.Throws<InvalidOperationException>(() => encoder.Windows([new string('a', 18), "b"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WindowsThatHoldTheAnswerAreLearnedFromOrAll()
    {
        var context = new string('a', 20) + "xyz" + new string('b', 20);
        int Learned(ContextWindows windows, string target)
        {
            var table = _ml.Data.LoadFromEnumerable(new[] { new LetterRow { Source = "q", Context = context, Target = target } });
            var encoder = Encoder("{Source} {Context}", windows, 20);
            var columns = TaughtTexts.Of(table.Schema, new PromptSettings("{Source} {Context}"), "Target");
            using var engine = new ManagedEngine(1);
            var read = TaughtTable.Read(
                () => { }, engine, table, columns.All, row => columns.CreateReader(row, encoder, new TargetEncoder(Generator(), 8, endToken: 1)));
            return read.Rows.Single().Input.Learned.Count;
        }

        var some = new ContextWindows { ColumnName = "Context", Overlap = 4 };
        var all = Learned(some with { LearnsFromAll = true }, "XYZ");
        Assert.Equal(1, Learned(some, "XYZ"));
        Assert.Equal(all, Learned(some, "qqq"));
        Assert.Equal(4, all);
    }

    [Theory]
    [InlineData(WindowAnswer.MostProbable)]
    [InlineData(WindowAnswer.Last)]
    public void ARowsAnswerIsThatOfOneWindow(WindowAnswer answer)
    {
        var windows = new ContextWindows { ColumnName = "Context", Overlap = 2, Answer = answer };
        var trainer = _ml.Transforms.Text.MoeTextToText(new MoeTextToTextTrainer.Options
        {
            Model = _models.Switch,
            Prompt = "{Source} {Context}",
            Windows = windows,
            MaximumSourceTokens = 12,
            MaximumTargetTokens = 6,
            MaxEpochs = 3,
            LearningRate = 0.01f,
            LogProbabilityColumnName = "Log",
            Device = MoeDevice.Cpu,
        });
        var rows = LetterRows(12);
        rows.ForEach(row => row.Context = row.Source + "cabdabcdab" + row.Source);
        using var model = trainer.Fit(_ml.Data.LoadFromEnumerable(rows));
        var written = Write(_ml, model, rows);
        var encoder = Encoder("{Source} {Context}", windows, 12);
        foreach (var (row, text) in rows.Zip(written))
        {
            var prompts = encoder.Windows([row.Source, row.Context]).Select(w => $"{row.Source} {w.Text}").ToList();
            Assert.True(prompts.Count > 1);
            var answers = model.Generate(prompts);
            Assert.Equal(answer == WindowAnswer.Last ? answers[^1].Text : answers.MaxBy(a => a.LogProbability)!.Text, text);
        }

        _ml.Model.Save(model, _ml.Data.LoadFromEnumerable(rows).Schema, _models["model.zip"]);
        using var loaded = (MoeTextGenerationTransformer)_ml.Model.Load(_models["model.zip"], out _);
        Assert.Equal(written, Write(_ml, loaded, rows));
    }

    private static string Letters(EncodedText prompt) =>
        string.Concat(prompt.Ids!.Ids.Where(id => id > 4).Select(id => (char)('a' + id - 5)));

    private TextGenerator Generator()
    {
        using var model = _ml.Transforms.Text.GenerateText("Prediction", "Source", _models.Switch).Fit(_ml.Data.LoadFromEnumerable(LetterRows(1)));
        return model.Generator;
    }

    private PromptEncoder Encoder(string template, ContextWindows windows, int maximumTokens) =>
        new(Generator(), PromptTemplate.Parse(template), maximumTokens, windows);
}
