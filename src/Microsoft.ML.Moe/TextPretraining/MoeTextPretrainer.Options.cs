using Microsoft.ML.Moe.Fitting;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe;

public sealed partial class MoeTextPretrainer
{
    /// <summary>
    /// Columns, input, architecture and training of <see cref="MoeTextPretrainer"/>. Input and architecture are those of the
    /// classifiers that will start from the encoder.
    /// </summary>
    public sealed class Options : TextPretrainingOptions
    {
        /// <summary>Column of the text. Default <c>Text</c>.</summary>
        public string InputColumnName { get; set; } = "Text";

        /// <summary>Column that receives the text's vector. Default <c>Features</c>.</summary>
        public string OutputColumnName { get; set; } = "Features";

        /// <summary>
        /// Splits text into subwords of a fixed vocabulary; null reads words with their character n-grams, which needs no vocabulary
        /// and knows every language. Default null.
        /// </summary>
        public TextTokenizer? Tokenizer { get; set; }

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
            Engines.Check(Device, nameof(Device));
            Engines.Check(Precision, nameof(Precision));
            ColumnNames.Require(InputColumnName, nameof(InputColumnName));
            ColumnNames.Require(OutputColumnName, nameof(OutputColumnName));
            if (EarlyStoppingPatience is not null && ValidationShare <= 0)
                throw new ArgumentException(
                    $"{nameof(EarlyStoppingPatience)} needs validation texts: set {nameof(ValidationShare)}.", nameof(EarlyStoppingPatience));
        }

        /// <summary>A copy that later changes do not reach.</summary>
        internal Options Copy() => (Options)MemberwiseClone();
    }
}
