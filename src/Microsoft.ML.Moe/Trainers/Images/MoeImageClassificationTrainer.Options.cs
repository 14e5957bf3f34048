using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.SearchSpace;

namespace Microsoft.ML.Moe;

public sealed partial class MoeImageClassificationTrainer
{
    /// <summary>
    /// Columns, input, architecture and training of <see cref="MoeImageClassificationTrainer"/>. All of it can stay as it is, but for the
    /// columns' names; what stays at its default can become what suits the images and their number, see <see cref="Stem"/> and
    /// <see cref="MaxShift"/>.
    /// </summary>
    public sealed class Options : MoeClassifierOptions
    {
        /// <summary>
        /// Column of the image. Either an <see cref="Data.MLImage"/> of any size; or a vector of bytes, which is a PNG, JPEG, WebP, GIF or
        /// BMP file of up to 64 MiB and 2^26 pixels, of several frames the first; or a vector of numbers of known size, which are pixels
        /// row by row from the top, all channels of a pixel together: single-precision numbers, or bytes in three dimensions. Default
        /// <c>Features</c>.
        /// </summary>
        public string FeatureColumnName { get; set; } = "Features";

        /// <summary>
        /// A published encoder of images to begin with, ResNet, ViT or DeiT: <see cref="PublishedEncoder.ResNet18"/> of the package
        /// MlNetMoe.ResNet18, or <c>PublishedEncoder.FromFolder(path)</c> of a folder with <c>config.json</c>, <c>model.safetensors</c> and
        /// <c>preprocessor_config.json</c>. null trains from nothing. With an encoder, images are resized, cut and scaled as it expects, bit
        /// for bit as its own library does, and the options of architecture, patches, augmentation and training that name no encoder do not
        /// count, but for those of validation, weights, smoothing, seed, device, checkpoint and the like: <see cref="FineTuning"/> takes
        /// their place. Where it trains convolutions before a ResNet's last blocks, augmentation counts, but for mixing. Default null.
        /// </summary>
        public PublishedEncoder? Encoder { get; set; }

        /// <summary>
        /// How much of <see cref="Encoder"/> is trained: <see cref="FineTuning.Auto"/> (the table decides: from 500 images on, the top
        /// third of the layers), <see cref="FineTuning.None"/>, <see cref="FineTuning.TopLayers"/> or <see cref="FineTuning.AllLayers"/>.
        /// Default
        /// <see cref="FineTuning.Auto"/>.
        /// </summary>
        public FineTuning FineTuning { get; set; } = FineTuning.Auto;

        /// <summary>
        /// Keeps what <see cref="Encoder"/>, frozen, makes of images, for further trainings on the same images. null keeps nothing.
        /// Default null.
        /// </summary>
        public EncoderStateCache? KeptStates { get; set; }

        /// <summary>Makes a mixture of experts of <see cref="Encoder"/>; null leaves it as it is. Default null.</summary>
        public Upcycling? Upcycling { get; set; }

        /// <summary>
        /// Pixels in a row. With <see cref="Encoder"/> the size that it was trained on, or, where it is set, another: of a ResNet any multiple
        /// of 32, of others with positions between the trained ones. Else files and images are resized to it; null takes <see cref="ImageHeight"/>, or else the images'
        /// fixed size (up to 1024), or else 64. Of vectors of pixels it says how they are to be read; null takes the vector's dimensions,
        /// or else that of a square. Within [1, 1024]. Default null.
        /// </summary>
        public int? ImageWidth { get; set; }

        /// <summary>Rows of pixels; see <see cref="ImageWidth"/>. Default null.</summary>
        public int? ImageHeight { get; set; }

        /// <summary>
        /// Numbers of a pixel: 1 for grey, 3 for colours. null takes 3 for files and images, and for vectors of pixels their dimensions, or
        /// else 1 where that makes a square, and 3 where that does. Within [1, 16]. Default null.
        /// </summary>
        public int? Channels { get; set; }

        /// <summary>
        /// How tokens are made of pixels. null takes convolutions for images of more than 64 pixels and at most 96 a side, and patches for
        /// others, or where <see cref="PatchSize"/> is given. With convolutions, what is left at its default becomes: a width of 64, one
        /// block, 2 heads, 8 experts of 128, one for each token; a learning rate of 2e-3, and a warm-up over a fifth of the steps. Default
        /// null.
        /// </summary>
        public ImageStem? Stem { get; set; }

        /// <summary>
        /// Side of the square patches that an image is divided into, in pixels: one token each. Within [1, 64]; null takes the smallest,
        /// of 2 at least, with at most 64 patches. Default null.
        /// </summary>
        public int? PatchSize { get; set; }

        /// <summary>
        /// What a patch sees of its neighbours on each side, as a share of its size: with 0.5 neighbouring patches overlap by half of what
        /// they see. Within [0, 1]. Default 0.5.
        /// </summary>
        public float PatchMargin { get; set; } = 0.5f;

        /// <summary>
        /// 3×3 convolutions over the patches before the transformer blocks: they know that neighbours belong together, which a transformer
        /// has to learn (Xiao et al. 2021, "Early convolutions help transformers see better"). Within [0, 8]. Default 2.
        /// </summary>
        public int Convolutions { get; set; } = 2;

        /// <summary>
        /// Largest random shift of an image while training, as a share of its width and height, within [0, 0.5]. Default 0.1. From 20,000
        /// rows on, images of a convolutional <see cref="Stem"/> are changed less where this, zoom, rotation and blanking are left at their
        /// defaults: shifted by up to 0.04, and no more.
        /// </summary>
        public float MaxShift { get; set; } = 0.1f;

        /// <summary>Largest random zoom while training: images are scaled by e^−z to e^z. Within [0, 1]. Default 0.1.</summary>
        public float MaxZoom { get; set; } = 0.1f;

        /// <summary>Largest random rotation while training, in degrees, within [0, 180]. Default 10.</summary>
        public float MaxRotation { get; set; } = 10f;

        /// <summary>
        /// Whether half of the images are mirrored, left to right, while training: for photographs, but not for writing. Default false.
        /// </summary>
        public bool HorizontalFlip { get; set; }

        /// <summary>
        /// Whether rows and columns of half of the images change places while training: for what has neither up nor down. With
        /// <see cref="HorizontalFlip"/> an image is seen in all eight positions. Default false.
        /// </summary>
        public bool Transposition { get; set; }

        /// <summary>
        /// Probability that a rectangle of 2 to 20 % of an image is blanked while training (Zhong et al. 2020). Within [0, 1). Default
        /// 0.25.
        /// </summary>
        [Range(0f, 0.5f, 0.25f)]
        public float EraseRate { get; set; } = 0.25f;

        /// <summary>
        /// What is done about rows whose image cannot be used, in training and in scoring with the trained model. Default
        /// <see cref="BadImageHandling.Fail"/>.
        /// </summary>
        public BadImageHandling BadImages { get; set; }

        /// <summary>
        /// Least share of an image's area that is shown while training, enlarged to the whole: a random crop. Within [0.01, 1]. Default 1:
        /// all of it.
        /// </summary>
        public float LeastCrop { get; set; } = 1f;

        /// <summary>
        /// How much brightness, contrast and, in colours, saturation change at random while training: each by a factor, or a share of the
        /// deviation, of up to this. Within [0, 1]. Default 0.
        /// </summary>
        public float ColourJitter { get; set; }

        /// <summary>
        /// Operations, drawn at random, that each image goes through while training: N of RandAugment (Cubuk et al. 2020), of eleven of
        /// its fourteen operations. Within [0, 10]. Default 0.
        /// </summary>
        public int RandomOperations { get; set; }

        /// <summary>How strong they are: M of RandAugment as a share of its largest. Within [0, 1]. Default 0.3.</summary>
        public float RandomMagnitude { get; set; } = 0.3f;

        /// <summary>
        /// α of mixup (Zhang et al. 2018) while training: images of a batch, and their labels, are mixed in pairs by a share from Beta(α,
        /// α). Within [0, 10]. Default 0: none.
        /// </summary>
        public float MixupAlpha { get; set; }

        /// <summary>
        /// α of CutMix (Yun et al. 2019) while training: a rectangle of each image comes from another, and as much of its label. With
        /// <see cref="MixupAlpha"/> too, either is drawn for each batch. Within [0, 10]. Default 0: none.
        /// </summary>
        public float CutMixAlpha { get; set; }

        /// <summary>
        /// d of an exponential moving average of the weights over the steps, which is what is evaluated and what the trained model has: 0.995,
        /// say. Within [0, 1). Default null: the last step's weights, which a learning rate that falls to zero brings near their average.
        /// </summary>
        public float? WeightAverage { get; set; }

        /// <inheritdoc/>
        internal override ImageClassificationColumns Columns =>
            new(FeatureColumnName, PredictedLabelColumnName, ScoreColumnName, Uncertainty, BadImages);

        private protected override ColumnNames Names => base.Names.Read(FeatureColumnName, nameof(FeatureColumnName));

        private protected override string[] OfArchitecture =>
            [.. base.OfArchitecture, nameof(ImageWidth), nameof(ImageHeight), nameof(Channels), nameof(Stem), .. OfPatches];

        private static string[] OfPatches => [nameof(PatchSize), nameof(PatchMargin), nameof(Convolutions)];

        private protected override void CheckTask()
        {
            base.CheckTask();
            OptionCheck.Range(ImageWidth, 1, ImageInput.MaximumSide, nameof(ImageWidth));
            OptionCheck.Range(ImageHeight, 1, ImageInput.MaximumSide, nameof(ImageHeight));
            OptionCheck.Defined(BadImages, nameof(BadImages));
            OptionCheck.Range(Channels, 1, ImageInput.MaximumChannels, nameof(Channels));
            EncoderCheck.Of(FineTuning);
            EncoderCheck.Of(Encoder, InitialModel, Upcycling, Uncertainty);
            if (Encoder is not null && Channels is not null)
                throw new ArgumentException($"{nameof(Encoder)} has channels of its own: leave {nameof(Channels)} null.", nameof(Channels));
            _ = ToConfig();
        }

        private protected override bool DecidesArchitecture => base.DecidesArchitecture && Encoder is null;

        internal override IEnumerable<(string Option, string Reason)> WithoutEffect()
        {
            foreach (var option in base.WithoutEffect())
                yield return option;
            if (DecidesArchitecture && Stem == ImageStem.Convolutional)
            {
                foreach (var option in Changed(OfPatches))
                    yield return (option, $"there are no patches with {nameof(Stem)} = {Stem}");
            }
        }

        internal override TrainingConfig ToTrainingConfig() => base.ToTrainingConfig() with { WeightAverage = WeightAverage };

        /// <summary>How a published encoder is trained on a table.</summary>
        internal PublishedTrainingConfig ToPublishedConfig() => new()
        {
            FineTuning = FineTuning,
            KeptStates = KeptStates,
            Augmentation = ToAugmentation(),
            LoadBalancingCoefficient = LoadBalancingCoefficient,
            RouterZLossCoefficient = RouterZLossCoefficient,
            Training = ToTrainingConfig(),
        };

        /// <summary>Architecture and training.</summary>
        internal ImageClassifierConfig ToConfig() => new()
        {
            Encoder = ToEncoderConfig(),
            Stem = Stem,
            PatchSize = PatchSize,
            PatchMargin = PatchMargin,
            Convolutions = Convolutions,
            Augmentation = ToAugmentation(),
            Training = ToTrainingConfig(),
        };

        /// <summary>How images are changed while training.</summary>
        private AugmentationConfig ToAugmentation() => new()
        {
            MaxShift = MaxShift,
            MaxZoom = MaxZoom,
            MaxRotation = MaxRotation,
            EraseRate = EraseRate,
            LeastCrop = LeastCrop,
            ColourJitter = ColourJitter,
            RandomOperations = RandomOperations,
            RandomMagnitude = RandomMagnitude,
            MixupAlpha = MixupAlpha,
            CutMixAlpha = CutMixAlpha,
            HorizontalFlip = HorizontalFlip,
            Transposition = Transposition,
        };
    }
}

/// <summary>Names of the columns that a trained image classifier reads and writes.</summary>
/// <param name="Features">Image to classify.</param>
/// <param name="PredictedLabel">Receives the most probable label.</param>
/// <param name="Score">Receives the labels' probabilities.</param>
/// <param name="Uncertainty">Columns about the routers' uncertainty; null when there are none.</param>
/// <param name="BadImages">What is done about images that cannot be used; written only where it is not the default.</param>
internal sealed record ImageClassificationColumns(
    string Features,
    string PredictedLabel,
    string Score,
    UncertaintyColumns? Uncertainty = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] BadImageHandling BadImages = default)
    : ClassificationColumns(PredictedLabel, Score, Uncertainty);
