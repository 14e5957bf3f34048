using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using MoeTool.Settings;
using Spectre.Console.Cli.Testing;
using Spectre.Console.Testing;

namespace MoeTool.Tests;

public class SettingsTests : FolderTests
{
    [Fact]
    public void Every_option_of_train_text_is_read()
    {
        var settings = Parsed<TrainTextSettings>(
            "train-text", "--train", "a.tsv", "--validation", "v.tsv", "--test", "b.tsv", "--label", "intent", "--text", "utterance", "--text2", "reply",
            "--model", "m.zip", "--options", "o.json", "--epochs", "3", "--seed", "-7", "--threads=2", "--device", "cpu-lib-torch", "--experts", "8",
            "--router", "unified", "--experts-per-token", "1.5", "--alpha", "0.3", "--moe-every", "2", "--global-workspace", "0.75", "--report", "r.html",
            "--compare-routing", "--checkpoint", "c.bin", "--initial-model", "i.zip");
        Assert.Equal(("a.tsv", "v.tsv", "b.tsv"), (settings.Train, settings.Validation, settings.Test));
        Assert.Equal(("intent", "utterance", "reply"), (settings.Label, settings.Text, settings.Text2));
        Assert.Equal(("m.zip", "o.json", "c.bin", "i.zip"), (settings.Model, settings.Options, settings.Checkpoint, settings.InitialModel));
        Assert.Equal((3, -7, 2, 8, 2), (settings.Epochs, settings.Seed, settings.Threads, settings.Experts, settings.MoeEvery));
        Assert.Equal((MoeDevice.CpuLibTorch, RouterKind.Unified), (settings.Device, settings.Router));
        Assert.Equal((1.5, 0.3, 0.75), (settings.ExpertsPerToken, settings.Alpha, settings.GlobalWorkspace));
        Assert.Equal(("r.html", true), (settings.Report, settings.CompareRouting));
    }

    [Fact]
    public void Every_option_of_train_text_to_text_is_read()
    {
        var settings = Parsed<TrainTextToTextSettings>(
            "train-text-to-text", "--model", "m", "--train", "a.tsv", "--validation", "v.tsv", "--test", "b.tsv", "--out", "o.zip", "--source", "s",
            "--target", "t", "--prompt", "q {s}", "--glue", "rte", "--windows", "s", "--max-source-tokens", "9", "--max-target-tokens", "8", "--beams", "6",
            "--batch-size", "4", "--learning-rate", "0.5", "--freeze-router", "--workspace", "summarisation", "--metric", "rouge-lsum");
        Assert.Equal(("m", "a.tsv", "v.tsv", "b.tsv", "o.zip"), (settings.Model, settings.Train, settings.Validation, settings.Test, settings.Out));
        Assert.Equal(("s", "t", "q {s}", "s"), (settings.Source, settings.Target, settings.Prompt, settings.Windows));
        Assert.Equal((9, 8, 6, 4), (settings.MaxSourceTokens, settings.MaxTargetTokens, settings.Beams, settings.BatchSize));
        Assert.Equal((0.5, true, GlueTask.Rte), (settings.LearningRate, settings.FreezeRouter, settings.Glue));
        Assert.Equal((WorkspacePreset.Summarisation, TextMetric.RougeLsum), (settings.Workspace, settings.Metric));
    }

    [Fact]
    public void Every_option_of_train_language_model_is_read()
    {
        var settings = Parsed<TrainLanguageModelSettings>(
            "train-language-model", "--model", "m", "--train", "a.tsv", "--prompt-column", "p", "--completion", "c", "--prompt", "q {p}", "--chat",
            "--system", "brief", "--lora", "4", "--keep-adapters", "--max-prompt-tokens", "9", "--max-completion-tokens", "8");
        Assert.Equal(("p", "c", "q {p}", "brief"), (settings.PromptColumn, settings.Completion, settings.Prompt, settings.System));
        Assert.Equal((true, 9, 8), (settings.Chat, settings.MaxPromptTokens, settings.MaxCompletionTokens));
        Assert.Equal((4, true), (settings.Lora, settings.KeepAdapters));
        Assert.Equal("t", Parsed<TrainLanguageModelSettings>("train-language-model", "--model", "m", "--train", "a.tsv", "--text", "t").Text);
    }

    [Fact]
    public void Every_option_of_train_images_is_read()
    {
        var settings = Parsed<TrainImagesSettings>(
            "train-images", "--data", "photos", "--test", "test.tsv", "--label", "kind", "--path", "file", "--size", "32", "--flip");
        Assert.Equal(("photos", "test.tsv", "kind", "file"), (settings.Data, settings.Test, settings.Label, settings.Path));
        Assert.Equal((32, true), (settings.Size, settings.Flip));
        Assert.Equal("photos.tsv", Parsed<TrainImagesSettings>("train-images", "--train", "photos.tsv").Data);
    }

    [Fact]
    public void Only_what_is_given_replaces_the_library_s_defaults()
    {
        var defaults = new MoeTextClassificationTrainer.Options();
        var options = new MoeTextClassificationTrainer.Options();
        Parsed<TrainTextSettings>("train-text", "--train", "a.tsv").ApplyTo(options);
        foreach (var option in options.GetType().GetProperties())
            Assert.Equal(option.GetValue(defaults), option.GetValue(options));

        Parsed<TrainTextSettings>(
            "train-text", "--train", "a.tsv", "--epochs", "3", "--threads", "1", "--device", "Cpu", "--experts", "8", "--moe-every", "2", "--router",
            "expert-choice", "--experts-per-token", "1", "--global-workspace", "0.8", "--checkpoint", "c.bin", "--seed", "5").ApplyTo(options);
        Assert.Equal((3, 1, MoeDevice.Cpu, 8, 2), (options.MaxEpochs, options.Threads, options.Device, options.Experts, options.MoeEvery));
        Assert.Equal((Router.ExpertChoice(1), "c.bin", 5), (options.Router, options.CheckpointFile, options.Seed));
        Assert.Equal(new GlobalWorkspaceSettings(0.8), options.GlobalWorkspace);
    }

    [Fact]
    public void The_image_trainer_gets_size_and_flip()
    {
        var options = new MoeImageClassificationTrainer.Options();
        Parsed<TrainImagesSettings>("train-images", "--data", "photos", "--size", "32", "--flip").ApplyTo(options);
        Assert.Equal((32, true), (options.ImageWidth, options.HorizontalFlip));
        Assert.Equal((null, false, 0.1f), (options.Stem, options.Transposition, options.MaxShift));
    }

    [Fact]
    public void The_image_trainer_gets_its_stem_and_how_images_are_changed()
    {
        var options = new MoeImageClassificationTrainer.Options();
        Parsed<TrainImagesSettings>(
            "train-images", "--data", "photos", "--stem", "patches", "--transpose", "--shift", "0", "--zoom", "0.2", "--rotation", "25",
            "--erase", "0.5", "--colour", "0.3").ApplyTo(options);
        Assert.Equal((ImageStem.Patches, false, true), (options.Stem, options.HorizontalFlip, options.Transposition));
        Assert.Equal((0f, 0.2f, 25f), (options.MaxShift, options.MaxZoom, options.MaxRotation));
        Assert.Equal((0.5f, 0.3f), (options.EraseRate, options.ColourJitter));
    }

    [Fact]
    public void The_command_line_goes_before_the_file_of_options()
    {
        var file = Write("o.json", """{ "maxEpochs": 9, "layers": 1, "router": { "kind": "unified", "expertsPerToken": 1.5, "alpha": 0.4 } }""");
        var options = new MoeTextClassificationTrainer.Options();
        Parsed<TrainTextSettings>("train-text", "--train", "a.tsv", "--options", file, "--epochs", "2", "--experts-per-token", "1").ApplyTo(options);
        Assert.Equal((2, 1, Router.Unified(1, alpha: 0.4)), (options.MaxEpochs, options.Layers, options.Router));
    }

    [Fact]
    public void The_command_line_goes_before_the_file_of_options_of_models_that_write()
    {
        var model = TinyCausal.Write(Path.Combine(Folder, "model"), TinyCausal.Switch, generation: """{ "eos_token_id": 1 }""");
        var file = Write("o.json", """
            {
              "maximumSourceTokens": 40, "maximumTargetTokens": 30, "windows": { "columnName": "Other", "overlap": 5 }, "metric": "F1",
              "generation": { "beams": 2, "lengthPenalty": 0.5 }
            }
            """);
        string[] training = ["train-text-to-text", "--model", model, "--train", "a.tsv", "--options", file];
        var options = new MoeTextToTextTrainer.Options();
        Parsed<TrainTextToTextSettings>(training).ApplyTo(options);
        Assert.Equal((40, 30, 2), (options.MaximumSourceTokens, options.MaximumTargetTokens, options.Generation!.Beams));
        Assert.Equal(new ContextWindows { ColumnName = "Other", Overlap = 5 }, options.Windows);

        options = new MoeTextToTextTrainer.Options { ValidationShare = 0.1f };
        Parsed<TrainTextToTextSettings>(
            [.. training, "--max-source-tokens", "20", "--max-target-tokens", "10", "--windows", "Context", "--beams", "4", "--metric", "rouge-l"])
            .ApplyTo(options);
        Assert.Equal((20, 10, TextMetric.RougeL), (options.MaximumSourceTokens, options.MaximumTargetTokens, options.Metric));
        // what the command line does not name stays as the file has it
        Assert.Equal(new ContextWindows { ColumnName = "Context", Overlap = 5 }, options.Windows);
        Assert.Equal((4, 0.5f), (options.Generation!.Beams, options.Generation.LengthPenalty));

        var classes = new MoeTextToTextClassificationTrainer.Options();
        Parsed<TrainTextToTextSettings>(
            "train-text-to-text", "--model", model, "--train", "a.tsv", "--classes", "--max-source-tokens", "20", "--options",
            Write("c.json", """{ "maximumSourceTokens": 40 }""")).ApplyTo(classes);
        Assert.Equal(20, classes.MaximumSourceTokens);
    }

    [Fact]
    public void Beams_alone_write_as_the_model_s_files_say()
    {
        var model = TinyCausal.Write(Path.Combine(Folder, "model"), TinyCausal.Switch, generation: """{ "eos_token_id": 1, "length_penalty": 0.25 }""");
        var options = new MoeTextToTextTrainer.Options();
        Parsed<TrainTextToTextSettings>(
            "train-text-to-text", "--model", model, "--train", "a.tsv", "--beams", "3", "--max-target-tokens", "9").ApplyTo(options);
        Assert.Equal((3, 9, 0.25f), (options.Generation!.Beams, options.Generation.MaximumNewTokens, options.Generation.LengthPenalty));
    }

    [Fact]
    public void The_command_line_goes_before_the_file_of_options_of_language_models()
    {
        var file = Write("o.json", """{ "maximumPromptTokens": 40, "maximumCompletionTokens": 30, "systemPrompt": "long", "usesChatTemplate": false }""");
        string[] training = ["train-language-model", "--model", "m", "--train", "a.tsv", "--options", file];
        var options = new MoeLanguageModelTrainer.Options();
        Parsed<TrainLanguageModelSettings>(training).ApplyTo(options);
        Assert.Equal((40, 30, "long", false), (options.MaximumPromptTokens, options.MaximumCompletionTokens, options.SystemPrompt, options.UsesChatTemplate));

        Parsed<TrainLanguageModelSettings>(
            [.. training, "--max-prompt-tokens", "20", "--max-completion-tokens", "10", "--chat", "--system", "brief"]).ApplyTo(options);
        Assert.Equal((20, 10, "brief", true), (options.MaximumPromptTokens, options.MaximumCompletionTokens, options.SystemPrompt, options.UsesChatTemplate));
    }

    [Fact]
    public void Tasks_of_the_paper_have_their_settings()
    {
        string[] training = ["train-text-to-text", "--model", "m", "--train", "a.tsv"];
        var summaries = Parsed<TrainTextToTextSettings>([.. training, "--summarisation", "--source", "Article"]);
        var options = summaries.ToOptions();
        summaries.ApplyTo(options);
        Assert.Equal(("summarize:{Article}", 1024, 6), (options.Prompt!.ToString(), options.MaximumSourceTokens, options.Generation!.Beams));
        options.ValidationShare = 0.1f;
        Assert.Equal(TextMetric.RougeLsum, options.Metric);

        var questions = Parsed<TrainTextToTextSettings>([.. training, "--questions"]);
        options = questions.ToOptions();
        questions.ApplyTo(options);
        Assert.Equal(("question: {Question} context: {Context}", 384, "Context"), (options.Prompt!.ToString(), options.MaximumSourceTokens, options.Windows!.ColumnName));
        options = Parsed<TrainTextToTextSettings>([.. training, "--questions", "--question-column", "q", "--context-column", "c"]).ToOptions();
        Assert.Equal(("question: {q} context: {c}", "c"), (options.Prompt!.ToString(), options.Windows!.ColumnName));

        Assert.Null(Parsed<TrainTextToTextSettings>(training).ToOptions().Prompt);
    }

    [Theory]
    [InlineData("--epochs takes a whole number of at least 1, not 0.", "train-text", "--train", "a", "--epochs", "0")]
    [InlineData("--experts: A whole number is needed, not 'many'.", "train-text", "--train", "a", "--experts", "many")]
    [InlineData("--router: Possible are token-choice, expert-choice, unified, soft, not 'best'.", "train-text", "--train", "a", "--router=best")]
    [InlineData("--device: Possible are automatic, cpu, cpu-lib-torch, gpu, not 'tpu'.", "train-images", "--data", "a", "--device", "tpu")]
    [InlineData("--alpha: A number is needed, not 'half'.", "train-text", "--train", "a", "--alpha", "half")]
    [InlineData("--moe-every takes a whole number of at least 0, not -1.", "train-text", "--train", "a", "--moe-every", "-1")]
    [InlineData("--seed: A whole number is needed, not '1.5'.", "train-text", "--train", "a", "--seed", "1.5")]
    [InlineData("missing required option 'train'", "train-text", "--test", "b.tsv")]
    [InlineData("--report needs experts", "train-text", "--train", "a", "--moe-every", "0", "--report", "r.html")]
    [InlineData("--compare-routing needs experts", "train-text", "--train", "a", "--moe-every", "0", "--compare-routing")]
    [InlineData("--model is needed", "pretrain", "--text-file", "a.txt")]
    [InlineData("--text and --path exclude each other", "evaluate", "--model", "m", "--data", "d", "--text", "a", "--path", "b")]
    [InlineData("--glue, --summarisation and --questions exclude each other", "train-text-to-text", "--model", "m", "--train", "a", "--glue", "rte", "--questions")]
    [InlineData("--glue, --summarisation and --questions exclude each other", "train-text-to-text", "--model", "m", "--train", "a", "--summarisation", "--questions")]
    [InlineData("name the columns of --questions", "train-text-to-text", "--model", "m", "--train", "a", "--context-column", "c")]
    [InlineData("not of --classes", "train-text-to-text", "--model", "m", "--train", "a", "--classes", "--summarisation")]
    [InlineData("bogus", "train-text", "--train", "a", "--bogus")]
    [InlineData("--train needs a value.", "train-text", "--train")]
    [InlineData("--model needs a value.", "train-text", "--train", "a", "--model")]
    [InlineData("--epochs needs a value.", "train-text", "--train", "a", "--epochs")]
    [InlineData("nothing", "nothing")]
    public void Wrong_usage_is_explained(string explanation, params string[] args) =>
        Assert.Contains(explanation, Tool.Fail(2, args), StringComparison.Ordinal);

    [Fact]
    public void Help_lists_commands_and_options()
    {
        var commands = Tool.Run("--help");
        Assert.All(
            new[] { "train-text", "train-images", "pretrain", "evaluate", "predict", "report" },
            name => Assert.Contains(name, commands, StringComparison.Ordinal));
        Assert.Contains("--text2 <COLUMN>", Tool.Run("train-text", "--help"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_failure_is_told_in_one_line_from_its_innermost_cause() => Assert.Equal(
        "Too many.", App.OneLine(new AggregateException(new ArgumentOutOfRangeException("experts", "Too\n  many."))));

    // The command itself fails, or not: its settings are bound before.
    private static T Parsed<T>(params string[] args)
        where T : class
    {
        using var console = new TestConsole();
        var app = new CommandAppTester();
        app.Configure(config => App.Configure(config, new ToolConsole(console, TextWriter.Null, TextReader.Null), args));
        return Assert.IsType<T>(app.Run(args).Settings);
    }
}
