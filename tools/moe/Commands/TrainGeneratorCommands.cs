using Microsoft.ML;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Evaluation;
using MoeTool.Data;
using MoeTool.Settings;
using Spectre.Console.Cli;

namespace MoeTool.Commands;

/// <summary>Fine-tunes an encoder–decoder.</summary>
internal sealed class TrainTextToTextCommand(ToolConsole console) : Command<TrainTextToTextSettings>
{
    public override int Execute(CommandContext context, TrainTextToTextSettings settings, CancellationToken cancellationToken)
    {
        var ml = new MLContext(settings.Seed ?? 1);
        var run = new GeneratorRun(console, ml, settings);
        if (settings.Classes)
        {
            Classify(ml, run, settings);
            return 0;
        }

        var options = settings.ToOptions();
        options.Prompt = PromptOf(settings, options.Prompt);
        (options.SourceColumnName, options.TargetColumnName) = (settings.Source, settings.Target);
        options.OutputColumnName = GeneratorRun.Output;
        run.Load(options, options.Prompt, ("--source", settings.Source), ("--target", settings.Target), settings.OptionOf);
        run.Write(() => ml.Transforms.Text.MoeTextToText(options), settings.Target, settings.Glue);
        return 0;
    }

    private static void Classify(MLContext ml, GeneratorRun run, TrainTextToTextSettings settings)
    {
        var options = settings.Glue is { } task
            ? MoeTextToTextClassificationTrainer.Options.Glue(task)
            : new MoeTextToTextClassificationTrainer.Options();
        options.Prompt = PromptOf(settings, options.Prompt);
        (options.TextColumnName, options.LabelColumnName) = (settings.Source, settings.Target);
        run.Load(options, options.Prompt, ("--source", settings.Source), ("--target", settings.Target));
        run.Classify(() => ml.MulticlassClassification.Trainers.MoeTextToText(options), settings.Target);
    }

    private static PromptTemplate? PromptOf(TrainTextToTextSettings settings, PromptTemplate? usual) =>
        settings.Prompt is { } text ? PromptTemplate.Parse(text) : usual;
}

/// <summary>Fine-tunes a causal language model.</summary>
internal sealed class TrainLanguageModelCommand(ToolConsole console) : Command<TrainLanguageModelSettings>
{
    public override int Execute(CommandContext context, TrainLanguageModelSettings settings, CancellationToken cancellationToken)
    {
        var ml = new MLContext(settings.Seed ?? 1);
        var run = new GeneratorRun(console, ml, settings);
        var options = new MoeLanguageModelTrainer.Options
        {
            PromptColumnName = settings.Text ?? settings.PromptColumn,
            CompletionColumnName = settings.Text is null ? settings.Completion : null,
            Prompt = settings.Prompt is { } text ? PromptTemplate.Parse(text) : null,
            OutputColumnName = GeneratorRun.Output,
        };
        if (settings.Text is { } plain)
        {
            run.Load(options, prompt: null, ("--text", plain), target: null);
            run.Measure(() => ml.Transforms.Text.MoeLanguageModel(options));
            return 0;
        }

        run.Load(options, options.Prompt, ("--prompt-column", settings.PromptColumn), ("--completion", settings.Completion));
        run.Write(() => ml.Transforms.Text.MoeLanguageModel(options), settings.Completion, glue: null);
        return 0;
    }
}
