using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe;

public sealed partial class MoeTextClassificationTrainer
{
    /// <summary>
    /// Columns, input, architecture and training of <see cref="MoeTextClassificationTrainer"/>. All of it can stay as it is, but for
    /// the columns' names.
    /// </summary>
    public sealed class Options : TextClassifierOptions
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
        /// Column of the rows' weights in the loss, single-precision numbers of at least 0; null weights all rows alike. Default null.
        /// </summary>
        public string? WeightColumnName { get; set; }

        /// <summary>
        /// Rows by which the best epoch is chosen, with the same columns as the training set; its labels may be keys, of whatever
        /// order, or plain values. null draws <see cref="TextClassifierOptions.ValidationShare"/> of the training rows. Default null.
        /// </summary>
        public IDataView? ValidationSet { get; set; }

        /// <summary>
        /// Splits text into subwords of a fixed vocabulary; null reads words with their character n-grams, which needs no vocabulary
        /// and knows every language. Default null.
        /// </summary>
        public TextTokenizer? Tokenizer { get; set; }

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
            RequireName(LabelColumnName, nameof(LabelColumnName));
            RequireName(Sentence1ColumnName, nameof(Sentence1ColumnName));
            RequireName(ScoreColumnName, nameof(ScoreColumnName));
            RequireName(PredictedLabelColumnName, nameof(PredictedLabelColumnName));
            if (Sentence2ColumnName is not null)
                RequireName(Sentence2ColumnName, nameof(Sentence2ColumnName));
            if (WeightColumnName is not null)
                RequireName(WeightColumnName, nameof(WeightColumnName));
            RequireDifferent(Sentence1ColumnName, nameof(Sentence1ColumnName), Sentence2ColumnName, nameof(Sentence2ColumnName));
            RequireDifferent(Sentence1ColumnName, nameof(Sentence1ColumnName), LabelColumnName, nameof(LabelColumnName));
            RequireDifferent(Sentence2ColumnName, nameof(Sentence2ColumnName), LabelColumnName, nameof(LabelColumnName));
            RequireDifferent(ScoreColumnName, nameof(ScoreColumnName), PredictedLabelColumnName, nameof(PredictedLabelColumnName));
            if (EarlyStoppingPatience is not null && ValidationSet is null && ValidationShare <= 0)
                throw new ArgumentException(
                    $"{nameof(EarlyStoppingPatience)} needs validation rows: set {nameof(ValidationSet)} or {nameof(ValidationShare)}.",
                    nameof(EarlyStoppingPatience));
        }

        /// <summary>A copy that later changes do not reach.</summary>
        internal Options Copy() => (Options)MemberwiseClone();

        private static void RequireName(string? name, string option)
        {
            if (string.IsNullOrEmpty(name))
                throw new ArgumentException($"{option} is empty.", option);
        }

        private static void RequireDifferent(string? name, string option, string? other, string otherOption)
        {
            if (name is not null && name == other)
                throw new ArgumentException($"{option} and {otherOption} are both '{name}'.", option);
        }
    }
}
