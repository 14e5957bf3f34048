using Microsoft.ML;
using Microsoft.ML.Moe;
using MoeTool.Data;
using MoeTool.Settings;
using Spectre.Console.Cli;

namespace MoeTool.Commands;

/// <summary>Trains a classifier of texts.</summary>
internal sealed class TrainTextCommand(ToolConsole console) : Command<TrainTextSettings>
{
    // Columns that the trainer writes: one of the same name would be hidden by it.
    private static readonly string[] Written = ["PredictedLabel", "Score"];

    public override int Execute(CommandContext context, TrainTextSettings settings, CancellationToken cancellationToken)
    {
        var ml = new MLContext(settings.Seed ?? 1);
        SourceColumn[] texts = settings.Text2 is null
            ? [Column(settings.Text, "--text")]
            : [Column(settings.Text, "--text"), Column(settings.Text2, "--text2")];
        var label = Column(settings.Label, "--label");
        if (texts.Append(label).CountBy(column => column.Source).FirstOrDefault(count => count.Value > 1) is { Key: { } twice })
            throw new UserException($"Column '{twice}' cannot be two of label, text and second text.");

        var options = new MoeTextClassificationTrainer.Options
        {
            LabelColumnName = label.Name,
            Sentence1ColumnName = texts[0].Name,
            Sentence2ColumnName = texts.ElementAtOrDefault(1)?.Name,
        };
        new ClassifierRun(console, ml, settings).Run(
            Load(ml, settings, [.. texts, label]),
            [.. texts.Select(text => text.Name)],
            options,
            () => ml.MulticlassClassification.Trainers.MoeTextClassifier(options));
        return 0;
    }

    private static SourceColumn Column(string source, string option) =>
        new(source, Written.Contains(source) ? $"Given{source}" : source, option);

    private Tables Load(MLContext ml, TrainTextSettings settings, SourceColumn[] columns)
    {
        var train = Read(settings.Train);
        var validation = settings.Validation is null ? null : Read(settings.Validation);
        if (settings.Test is not null)
            return new Tables(train, validation, Read(settings.Test));
        var split = ml.Data.TrainTestSplit(train, testFraction: 0.2, seed: settings.Seed ?? 1);
        return new Tables(split.TrainSet, validation, split.TestSet);

        IDataView Read(string path)
        {
            var file = DelimitedFile.Open(path);
            var table = file.Load(ml, columns);
            if (file.Ragged is { } ragged)
                console.Line("Warning: " + ragged);
            return table;
        }
    }
}

/// <summary>Trains a classifier of images.</summary>
internal sealed class TrainImagesCommand(ToolConsole console) : Command<TrainImagesSettings>
{
    private const string Label = "Label";
    private const string Path = "ImagePath";
    private const string Image = "Image";

    public override int Execute(CommandContext context, TrainImagesSettings settings, CancellationToken cancellationToken)
    {
        var ml = new MLContext(settings.Seed ?? 1);
        var options = new MoeImageClassificationTrainer.Options { LabelColumnName = Label, FeatureColumnName = Image };
        new ClassifierRun(console, ml, settings).Run(
            Load(ml, settings),
            [Path],
            options,
            () => ml.Transforms.LoadRawImageBytes(Image, imageFolder: null, Path)
                .Append(ml.MulticlassClassification.Trainers.MoeImageClassifier(options)));
        return 0;
    }

    private static Tables Load(MLContext ml, TrainImagesSettings settings)
    {
        var train = Find(settings.Data);
        var validation = settings.Validation is null ? null : Find(settings.Validation);
        (train, var test) = settings.Test is null ? ImageFiles.Split(train, settings.Seed ?? 1) : (train, Find(settings.Test));
        return new Tables(Table(train), validation is null ? null : Table(validation), Table(test));

        IReadOnlyList<ImageRow> Find(string data) =>
            ImageFiles.Find(ml, data, new SourceColumn(settings.Path, Path, "--path"), new SourceColumn(settings.Label, Label, "--label"));

        IDataView Table(IReadOnlyList<ImageRow> images) => ImageFiles.ToTable(ml, images, Path, Label);
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
        var options = new MoeTextPretrainer.Options { EpochCompleted = training.OnEpoch, StopToken = training.StopToken };
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
