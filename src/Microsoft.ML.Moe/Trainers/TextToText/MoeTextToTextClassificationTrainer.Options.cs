using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe;

public sealed partial class MoeTextToTextClassificationTrainer
{
    /// <summary>Columns, classes, model and training of <see cref="MoeTextToTextClassificationTrainer"/>.</summary>
    public sealed class Options : MoeGeneratorOptions
    {
        /// <summary>Most tokens of a class's text, the end token counted.</summary>
        internal const int MostTokensOfClass = 256;

        /// <summary>Column of the label, a key of any type. Default <c>Label</c>.</summary>
        public string LabelColumnName { get; set; } = "Label";

        /// <summary>Column that receives the probabilities of the labels. Default <c>Score</c>.</summary>
        public string ScoreColumnName { get; set; } = "Score";

        /// <summary>Column that receives the most probable label. Default <c>PredictedLabel</c>.</summary>
        public string PredictedLabelColumnName { get; set; } = "PredictedLabel";

        /// <summary>
        /// Column of the text that is classified. Default <c>Text</c>. Not looked at where there is a <see cref="Prompt"/>.
        /// </summary>
        public string TextColumnName { get; set; } = "Text";

        /// <summary>
        /// What the model reads of a row, out of several columns or with words around them; a text converts. null, the default, for the
        /// text column as it is.
        /// </summary>
        public PromptTemplate? Prompt { get; set; }

        /// <summary>
        /// What the model writes for each class, in the order of the label's keys, each another text. null, the default, for the values
        /// behind the keys: the digits of GLUE, or names.
        /// </summary>
        public IReadOnlyList<string>? ClassTexts { get; set; }

        /// <summary>How the class is told of what the model would write. Default <see cref="ClassReading.Scored"/>.</summary>
        public ClassReading Reading { get; set; }

        /// <summary>
        /// Longest text in tokens, special ones counted; of a longer one the end is cut off, or of a causal model the beginning. Within [8,
        /// 65536]. Default 512.
        /// </summary>
        public int MaximumSourceTokens { get; set; } = 512;

        /// <summary>
        /// The GW-MoE paper's settings for a task of GLUE: <see cref="GeneratorTrainingConfig.Glue"/>, the task's prompt, 256 tokens. The
        /// label's keys have the data set's digits behind them.
        /// </summary>
        /// <param name="task">
        /// The task; of <see cref="GlueTask.Stsb"/>, whose labels are scores, take <see cref="MoeTextToTextTrainer"/>.
        /// </param>
        /// <param name="columns">See <see cref="PromptTemplate.Glue"/>.</param>
        /// <exception cref="ArgumentOutOfRangeException">The task has no classes.</exception>
        public static Options Glue(GlueTask task, params IReadOnlyList<string> columns)
        {
            if (task == GlueTask.Stsb)
            {
                throw new ArgumentOutOfRangeException(
                    nameof(task), task, $"{task} has scores, no classes: train it with {nameof(MoeTextToTextTrainer)}.");
            }

            var options = new Options { Prompt = PromptTemplate.Glue(task, columns), MaximumSourceTokens = 256 };
            options.Take(GeneratorTrainingConfig.Glue);
            return options;
        }

        internal override (string Option, int Value) LongestSource => (nameof(MaximumSourceTokens), MaximumSourceTokens);

        internal override (string Option, int Value) LongestTarget => (nameof(ClassTexts), MostTokensOfClass);

        /// <summary>Names of the columns that a model of these options writes.</summary>
        internal ClassTextColumns Columns => new(PredictedLabelColumnName, ScoreColumnName);

        private protected override ColumnNames Names => PromptNames(Prompt, TextColumnName, nameof(TextColumnName))
            .Read(LabelColumnName, nameof(LabelColumnName))
            .Write(ScoreColumnName, nameof(ScoreColumnName))
            .Write(PredictedLabelColumnName, nameof(PredictedLabelColumnName));

        private protected override IReadOnlyList<TextMetric> Metrics => [TextMetric.Loss, TextMetric.Accuracy];

        internal override PromptSettings ToPrompt() => new((Prompt ?? PromptTemplate.Of(TextColumnName)).ToString());

        private protected override void CheckTask()
        {
            base.CheckTask();
            OptionCheck.Range(MaximumSourceTokens, 8, 1 << 16, nameof(MaximumSourceTokens));
            OptionCheck.Defined(Reading, nameof(Reading));
            if (ClassTexts is not { } texts)
                return;
            if (texts.FirstOrDefault(string.IsNullOrWhiteSpace, "text") != "text")
            {
                throw new ArgumentException(
                    $"{nameof(ClassTexts)} has an empty text: the model writes something for each class.", nameof(ClassTexts));
            }

            if (texts.CountBy(text => text).FirstOrDefault(count => count.Value > 1) is { Key: { } twice })
            {
                throw new ArgumentException(
                    $"{nameof(ClassTexts)} has '{twice}' twice: each class needs a text of its own.", nameof(ClassTexts));
            }
        }
    }
}

/// <summary>How the class of a row is told of what a model would write to it.</summary>
public enum ClassReading
{
    /// <summary>
    /// By the probabilities that the model gives to the classes' texts, of which the largest decides; they are the score. Every row has a
    /// class.
    /// </summary>
    Scored,

    /// <summary>
    /// The model writes, and the class is the one whose text it has written, as in the papers: its score is 1. A text that is none of a
    /// class gives a missing label, and scores that are not numbers. ML.NET's <c>Evaluate</c> leaves such rows out and so tells an accuracy
    /// that is too high; <see cref="TextEvaluation.Classes"/> counts them as wrong, as the papers do, and so does
    /// <see cref="TextMetric.Accuracy"/>. For the other scores of GLUE, let <c>MapKeyToValue</c> make texts of the labels, and
    /// <see cref="TextEvaluation.Glue"/> read them.
    /// </summary>
    Written,
}
