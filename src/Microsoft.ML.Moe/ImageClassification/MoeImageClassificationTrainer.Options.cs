using Microsoft.ML.Moe.Classification;
using Microsoft.ML.Moe.Fitting;
using Microsoft.ML.Moe.ImageClassification;
using Microsoft.ML.Moe.Images;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe;

public sealed partial class MoeImageClassificationTrainer
{
    /// <summary>
    /// Columns, input, architecture and training of <see cref="MoeImageClassificationTrainer"/>. All of it can stay as it is, but for
    /// the columns' names.
    /// </summary>
    public sealed class Options : ImageClassifierOptions, IClassificationOptions
    {
        /// <summary>Column of the label, a key of any type. Default <c>Label</c>.</summary>
        public string LabelColumnName { get; set; } = "Label";

        /// <summary>
        /// Column of the image. Either an <see cref="Data.MLImage"/> of any size; or a vector of bytes, which is a PNG, JPEG, WebP, GIF or
        /// BMP file of up to 64 MiB and 2^26 pixels, of several frames the first; or a vector of numbers of known size, which are pixels row
        /// by row from the top, all channels of a pixel together: single-precision numbers, or bytes in three dimensions. Default
        /// <c>Features</c>.
        /// </summary>
        public string FeatureColumnName { get; set; } = "Features";

        /// <summary>Column that receives the probabilities of the labels. Default <c>Score</c>.</summary>
        public string ScoreColumnName { get; set; } = "Score";

        /// <summary>Column that receives the most probable label. Default <c>PredictedLabel</c>.</summary>
        public string PredictedLabelColumnName { get; set; } = "PredictedLabel";

        /// <summary>
        /// Column that receives how unsure the routers are about a row: a vector of the <c>Mean</c> and <c>Max</c> of the router
        /// entropy over the row's tokens and all MoE layers, in nats; null for none. Needs MoE layers. Default null.
        /// </summary>
        public string? RouterEntropyColumnName { get; set; }

        /// <summary>
        /// Column that receives whether the routers are unsure about a row: whether the mean router entropy is at least
        /// <see cref="UncertainThreshold"/> · ln N; null for none. Needs MoE layers. Default null.
        /// </summary>
        public string? UncertainColumnName { get; set; }

        /// <summary>
        /// From which mean router entropy a row counts as uncertain, as a share of the largest possible, ln N. Within [0, 1].
        /// Default 0.75.
        /// </summary>
        public double UncertainThreshold { get; set; } = RoutingReportOptions.DefaultUncertainThreshold;

        /// <summary>
        /// Column of the rows' weights in the loss, single-precision numbers of at least 0; null weights all rows alike. Default null.
        /// </summary>
        public string? WeightColumnName { get; set; }

        /// <summary>
        /// Rows by which the best epoch is chosen, with the same columns as the training set; its labels may be keys, of whatever
        /// order, or plain values. null draws <see cref="EncoderOptions.ValidationShare"/> of the training rows. Default null.
        /// </summary>
        public IDataView? ValidationSet { get; set; }

        /// <summary>
        /// Pixels in a row. Files and images are resized to it; null takes <see cref="ImageHeight"/>, or else the images' fixed size (up to
        /// 1024), or else 64. Of vectors of pixels it says how they are to be read; null takes the vector's dimensions, or else that of a
        /// square. Within [1, 1024]. Default null.
        /// </summary>
        public int? ImageWidth { get; set; }

        /// <summary>Rows of pixels; see <see cref="ImageWidth"/>. Default null.</summary>
        public int? ImageHeight { get; set; }

        /// <summary>
        /// Numbers of a pixel: 1 for grey, 3 for colours. null takes 3 for files and images, and for vectors of pixels their dimensions, or else 1
        /// where that makes a square, and 3 where that does. Within [1, 16]. Default null.
        /// </summary>
        public int? Channels { get; set; }

        /// <summary>
        /// What the model is trained on. A GPU needs one of TorchSharp's packages for CUDA in the application; a model that was trained
        /// on one is scored on any machine. Default <see cref="MoeDevice.Automatic"/>.
        /// </summary>
        public MoeDevice Device { get; set; } = MoeDevice.Automatic;

        /// <summary>
        /// Precision of matrix products while training by TorchSharp; the engine in C# trains in single precision always. Default
        /// <see cref="TrainingPrecision.Automatic"/>: bfloat16 on GPUs that compute in it.
        /// </summary>
        public TrainingPrecision Precision { get; set; } = TrainingPrecision.Automatic;

        /// <summary>Is called after each epoch, on the training thread. Default null.</summary>
        public Action<EpochReport>? EpochCompleted { get; set; }

        /// <summary>
        /// Ends training after the current step; the model of the best epoch so far is kept. Default <see cref="CancellationToken.None"/>.
        /// </summary>
        public CancellationToken StopToken { get; set; }

        /// <inheritdoc/>
        public override void Validate()
        {
            base.Validate();
            ColumnNames.Require(FeatureColumnName, nameof(FeatureColumnName));
            ColumnNames.RequireDifferent(FeatureColumnName, nameof(FeatureColumnName), LabelColumnName, nameof(LabelColumnName));
            CheckSize(ImageWidth, ImageInput.MaximumSide, nameof(ImageWidth));
            CheckSize(ImageHeight, ImageInput.MaximumSide, nameof(ImageHeight));
            CheckSize(Channels, ImageInput.MaximumChannels, nameof(Channels));
            ClassificationOptionsCheck.Check(this, Columns, decidesArchitecture: true);
        }

        /// <summary>Names of the columns that a model of these options reads and writes.</summary>
        internal ImageClassificationColumns Columns => new(
            FeatureColumnName,
            PredictedLabelColumnName,
            ScoreColumnName,
            UncertaintyColumns.Of(RouterEntropyColumnName, UncertainColumnName, UncertainThreshold));

        /// <summary>A copy that later changes do not reach.</summary>
        internal Options Copy() => (Options)MemberwiseClone();

        private static void CheckSize(int? value, int maximum, string option)
        {
            if (value < 1 || value > maximum)
                throw new ArgumentOutOfRangeException(option, value, $"{option} must lie between 1 and {maximum}.");
        }
    }
}
