using Microsoft.ML.Moe.Classification;
using Microsoft.ML.Moe.Fitting;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.TextClassification;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe;

public sealed partial class MoeTextClassificationTrainer
{
    /// <summary>
    /// Columns, input, architecture and training of <see cref="MoeTextClassificationTrainer"/>. All of it can stay as it is, but for
    /// the columns' names.
    /// </summary>
    public sealed class Options : TextClassifierOptions, IClassificationOptions
    {
        /// <summary>Column of the label, a key of any type. Default <c>Label</c>.</summary>
        public string LabelColumnName { get; set; } = "Label";

        /// <summary>Column of the text. Default <c>Sentence1</c>.</summary>
        public string Sentence1ColumnName { get; set; } = "Sentence1";

        /// <summary>Column of the second text of a pair; null without one. Default null.</summary>
        public string? Sentence2ColumnName { get; set; }

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
        /// Splits text into subwords of a fixed vocabulary; null reads words with their character n-grams, which needs no vocabulary
        /// and knows every language, or as <see cref="InitialModel"/> does. Default null.
        /// </summary>
        public TextTokenizer? Tokenizer { get; set; }

        /// <summary>
        /// An earlier model to start from instead of chance: a fitted transformer (<see cref="MoeInitialModel.From"/>) or the path of
        /// a saved one, a classifier or an encoder that <see cref="MoeTextPretrainer"/> has trained. Architecture, router,
        /// <see cref="TextEncoderOptions.Lowercase"/> and <see cref="TextEncoderOptions.MaximumTokens"/> are then the earlier model's,
        /// whatever the options say; training is the options'. The labels may be others: of those with the same value and type the
        /// earlier classifier's knowledge is kept, whatever their order. So may the tokenizer: what is known of subwords with the same
        /// text is kept. null starts from chance. Default null.
        /// </summary>
        public MoeInitialModel? InitialModel { get; set; }

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
            ColumnNames.Require(Sentence1ColumnName, nameof(Sentence1ColumnName));
            if (Sentence2ColumnName is not null)
                ColumnNames.Require(Sentence2ColumnName, nameof(Sentence2ColumnName));
            ColumnNames.RequireDifferent(Sentence1ColumnName, nameof(Sentence1ColumnName), Sentence2ColumnName, nameof(Sentence2ColumnName));
            ColumnNames.RequireDifferent(Sentence1ColumnName, nameof(Sentence1ColumnName), LabelColumnName, nameof(LabelColumnName));
            ColumnNames.RequireDifferent(Sentence2ColumnName, nameof(Sentence2ColumnName), LabelColumnName, nameof(LabelColumnName));
            ClassificationOptionsCheck.Check(this, Columns, decidesArchitecture: InitialModel is null);
        }

        /// <summary>Names of the columns that a model of these options reads and writes.</summary>
        internal TextClassificationColumns Columns => new(
            Sentence1ColumnName,
            Sentence2ColumnName,
            PredictedLabelColumnName,
            ScoreColumnName,
            UncertaintyColumns.Of(RouterEntropyColumnName, UncertainColumnName, UncertainThreshold));

        /// <summary>A copy that later changes do not reach.</summary>
        internal Options Copy() => (Options)MemberwiseClone();
    }
}
