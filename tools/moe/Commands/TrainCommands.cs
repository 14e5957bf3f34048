using Microsoft.ML;
using Microsoft.ML.Moe;
using MoeTool.Data;
using MoeTool.Settings;
using Spectre.Console.Cli;

namespace MoeTool.Commands;

/// <summary>Trains a classifier of texts.</summary>
internal sealed class TrainTextCommand(ToolConsole console) : Command<TrainTextSettings>
{
    public override int Execute(CommandContext context, TrainTextSettings settings, CancellationToken cancellationToken)
    {
        var ml = new MLContext(settings.Seed ?? 1);
        var columns = TextTables.Of(settings.Label, settings.Text, settings.Text2);
        var options = new MoeTextClassificationTrainer.Options
        {
            LabelColumnName = columns.Label.Name,
            Sentence1ColumnName = columns.Texts[0].Name,
            Sentence2ColumnName = columns.Second,
        };
        new ClassifierRun(console, ml, settings).Run(
            columns.Load(console, ml, settings.Train, settings.Validation, settings.Test, settings.Seed ?? 1),
            [.. columns.Texts.Select(text => text.Name)],
            options,
            () => ml.MulticlassClassification.Trainers.MoeTextClassifier(options));
        return 0;
    }
}

/// <summary>Trains a classifier of images.</summary>
internal sealed class TrainImagesCommand(ToolConsole console) : Command<TrainImagesSettings>
{
    public override int Execute(CommandContext context, TrainImagesSettings settings, CancellationToken cancellationToken)
    {
        var ml = new MLContext(settings.Seed ?? 1);
        var options = new MoeImageClassificationTrainer.Options { LabelColumnName = ImageTables.Label, FeatureColumnName = ImageTables.Image };
        new ClassifierRun(console, ml, settings).Run(
            ImageTables.Load(ml, settings.Data, settings.Validation, settings.Test, settings.Path, settings.Label, settings.Seed ?? 1),
            [ImageTables.Path],
            options,
            () => ImageTables.Read(ml)
                .Append(ml.MulticlassClassification.Trainers.MoeImageClassifier(options)));
        return 0;
    }
}

/// <summary>Trains an encoder on plain text.</summary>
internal sealed class PretrainCommand(ToolConsole console) : Command<PretrainSettings>
{
    public override int Execute(CommandContext context, PretrainSettings settings, CancellationToken cancellationToken)
    {
        foreach (var file in settings.TextFiles)
            if (!File.Exists(file))
                throw new UserException($"There is no text file '{file}'.");
        var modelFile = OutputFile.Prepare(settings.Model, "--model")!;
        var ml = new MLContext(settings.Seed ?? 1);
        console.ShowMessages(ml);
        using var training = new LiveTraining(console);
        var options = new MoeTextPretrainer.Options();
        training.Follow(options);
        settings.ApplyTo(options);
        options.Validate();
        var texts = ml.Data.LoadTextLines(options.InputColumnName, settings.TextFiles);
        using var encoder = training.Run(() => ml.Transforms.Text.PretrainMoeEncoder(options).Fit(texts));
        ml.Model.SaveAtomically(encoder, texts.Schema, modelFile);
        console.Line($"Model: {modelFile}");
        console.Line($"Fit seconds: {training.Elapsed.TotalSeconds:0}");
        return 0;
    }
}
