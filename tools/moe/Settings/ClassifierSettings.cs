using System.ComponentModel;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;
using Spectre.Console;
using Spectre.Console.Cli;
using ValidationResult = Spectre.Console.ValidationResult;

namespace MoeTool.Settings;

/// <summary>What trainings of classifiers can be told.</summary>
internal abstract class ClassifierSettings : FitSettings
{
    [CommandOption("--label <COLUMN>")]
    [Description("Column with the label.")]
    [DefaultValue("Label")]
    public string Label { get; init; } = "Label";

    [CommandOption("--initial-model <FILE>")]
    [Description("An earlier model of the same kind, or an encoder of pretrain, to start from instead of random weights.")]
    public string? InitialModel { get; init; }

    [CommandOption("--global-workspace <X>")]
    [Description("While training, broadcast tokens to all experts from this share of the largest router entropy on, 0 to 1.")]
    [TypeConverter(typeof(RealNumber))]
    public double? GlobalWorkspace { get; init; }

    [CommandOption("--report <FILE>")]
    [Description("Show what the routers do with the test rows, and write a page with charts.")]
    public string? Report { get; init; }

    [CommandOption("--compare-routing")]
    [Description("Try other routers on the trained model.")]
    public bool CompareRouting { get; init; }

    /// <inheritdoc/>
    public override ValidationResult Validate()
    {
        var needs = GlobalWorkspace is not null ? "--global-workspace" : Report is not null ? "--report" : CompareRouting ? "--compare-routing" : null;
        return MoeEvery == 0 && needs is not null
            ? ValidationResult.Error($"{needs} needs experts, and there are none with --moe-every 0.")
            : base.Validate();
    }

    protected override void ApplyOwnTo(MoeTrainerOptions options)
    {
        base.ApplyOwnTo(options);
        var classifier = (MoeClassifierOptions)options;
        if (InitialModel is not null)
            classifier.InitialModel = InitialModel;
        if (GlobalWorkspace is { } threshold)
            classifier.GlobalWorkspace = new GlobalWorkspaceSettings(threshold);
    }
}

/// <summary>What trainings of classifiers can be told that may begin with a published encoder.</summary>
internal abstract class EncoderClassifierSettings : ClassifierSettings
{
    private const string NoEncoder = "none";

    [CommandOption("--encoder <NAME>")]
    [Description("A published encoder to begin with: none, of texts minilm or arctic, of images resnet18, a folder of Hugging Face or "
        + "sentence-transformers, or a model's name in the hub's cache. Default: none.")]
    public string? Encoder { get; init; }

    [CommandOption("--fine-tuning <LAYERS>")]
    [Description("How much of the encoder is trained: auto, none, all, or a number of layers from the top. Default: auto, the table decides.")]
    [TypeConverter(typeof(FineTuningConverter))]
    public FineTuning? FineTuning { get; init; }

    protected override void ApplyOwnTo(MoeTrainerOptions options)
    {
        base.ApplyOwnTo(options);
        if (Encoder is not null)
            Begin(options, Encoder.Equals(NoEncoder, StringComparison.OrdinalIgnoreCase) ? null : Encoders.Named(Encoder));
        if (FineTuning is null)
            return;
        if (options is MoeTextClassificationTrainer.Options { Encoder: not null } texts)
            texts.FineTuning = FineTuning;
        else if (options is MoeImageClassificationTrainer.Options { Encoder: not null } images)
            images.FineTuning = FineTuning;
        else
            throw new UserException("--fine-tuning is of published encoders: choose one with --encoder.");
    }

    private static void Begin(MoeTrainerOptions options, PublishedEncoder? encoder)
    {
        if (options is MoeTextClassificationTrainer.Options texts)
            texts.Encoder = encoder;
        else
            ((MoeImageClassificationTrainer.Options)options).Encoder = encoder;
    }
}

/// <summary>What <c>train-text</c> can be told.</summary>
internal sealed class TrainTextSettings : EncoderClassifierSettings
{
    [CommandOption("--train <FILE>", isRequired: true)]
    [Description("Training rows, tab-separated (or by commas in a .csv file), with a header.")]
    public string Train { get; init; } = "";

    [CommandOption("--validation <FILE>")]
    [Description("Rows that choose the best epoch.")]
    public string? Validation { get; init; }

    [CommandOption("--test <FILE>")]
    [Description("Rows to evaluate on. Default: a fifth of the training rows.")]
    public string? Test { get; init; }

    [CommandOption("--text <COLUMN>")]
    [Description("Column with the text.")]
    [DefaultValue("Text")]
    public string Text { get; init; } = "Text";

    [CommandOption("--text2 <COLUMN>")]
    [Description("Column with the second text of a pair.")]
    public string? Text2 { get; init; }
}

/// <summary>What <c>train-images</c> can be told.</summary>
internal sealed class TrainImagesSettings : EncoderClassifierSettings
{
    [CommandOption("--data|--train <FOLDER_OR_FILE>", isRequired: true)]
    [Description("Training images: a folder with a sub-folder for each class, or a table with columns of labels and paths.")]
    public string Data { get; init; } = "";

    [CommandOption("--validation <FOLDER_OR_FILE>")]
    [Description("Images that choose the best epoch.")]
    public string? Validation { get; init; }

    [CommandOption("--test <FOLDER_OR_FILE>")]
    [Description("Images to evaluate on. Default: a fifth of the training images.")]
    public string? Test { get; init; }

    [CommandOption("--path <COLUMN>")]
    [Description("Column of a table with the images' paths, relative to the table.")]
    [DefaultValue("ImagePath")]
    public string Path { get; init; } = "ImagePath";

    [CommandOption("--size <N>")]
    [Description("Width and height that images are resized to. Default 64, with --encoder what it was trained on.")]
    [TypeConverter(typeof(WholeNumber))]
    public int? Size { get; init; }

    [CommandOption("--stem <NAME>")]
    [Description("How tokens are made of pixels: convolutional or patches. Default: convolutional up to 96 pixels a side.")]
    [TypeConverter(typeof(NameConverter<ImageStem>))]
    public ImageStem? Stem { get; init; }

    [CommandOption("--flip")]
    [Description("Mirror half of the images while training: for photographs.")]
    public bool Flip { get; init; }

    [CommandOption("--transpose")]
    [Description("Turn half of the images on their side while training: for what has neither up nor down.")]
    public bool Transpose { get; init; }

    [CommandOption("--shift <X>")]
    [Description("Largest random shift while training, as a share of width and height.")]
    [TypeConverter(typeof(RealNumber))]
    public double? Shift { get; init; }

    [CommandOption("--zoom <X>")]
    [Description("Largest random zoom while training: images are scaled by e^-X to e^X.")]
    [TypeConverter(typeof(RealNumber))]
    public double? Zoom { get; init; }

    [CommandOption("--rotation <DEGREES>")]
    [Description("Largest random rotation while training.")]
    [TypeConverter(typeof(RealNumber))]
    public double? Rotation { get; init; }

    [CommandOption("--erase <X>")]
    [Description("Share of the images of which a rectangle is blanked while training.")]
    [TypeConverter(typeof(RealNumber))]
    public double? Erase { get; init; }

    [CommandOption("--colour <X>")]
    [Description("How much brightness, contrast and saturation change at random while training.")]
    [TypeConverter(typeof(RealNumber))]
    public double? Colour { get; init; }

    protected override void ApplyOwnTo(MoeTrainerOptions options)
    {
        base.ApplyOwnTo(options);
        var images = (MoeImageClassificationTrainer.Options)options;
        images.ImageWidth = Size ?? images.ImageWidth;
        images.Stem = Stem ?? images.Stem;
        images.HorizontalFlip |= Flip;
        images.Transposition |= Transpose;
        images.MaxShift = (float?)Shift ?? images.MaxShift;
        images.MaxZoom = (float?)Zoom ?? images.MaxZoom;
        images.MaxRotation = (float?)Rotation ?? images.MaxRotation;
        images.EraseRate = (float?)Erase ?? images.EraseRate;
        images.ColourJitter = (float?)Colour ?? images.ColourJitter;
    }
}

/// <summary>What <c>pretrain</c> can be told.</summary>
internal sealed class PretrainSettings : FitSettings
{
    [CommandOption("--text-file <FILE>", isRequired: true)]
    [Description("Plain text, a text on each line. Can be given several times.")]
    public string[] TextFiles { get; init; } = [];

    /// <inheritdoc/>
    public override ValidationResult Validate() =>
        Model is null ? ValidationResult.Error("--model is needed: where the encoder goes.") : base.Validate();
}
