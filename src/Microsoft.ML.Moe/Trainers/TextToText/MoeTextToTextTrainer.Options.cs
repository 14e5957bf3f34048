using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe;

public sealed partial class MoeTextToTextTrainer
{
    /// <summary>Columns, model, training and writing of <see cref="MoeTextToTextTrainer"/>.</summary>
    public sealed class Options : MoeTextGeneratorOptions
    {
        /// <summary>
        /// Column of the text that the model reads. Default <c>Source</c>. Not looked at where there is a <see cref="Prompt"/>.
        /// </summary>
        public string SourceColumnName { get; set; } = "Source";

        /// <summary>
        /// Column of the text that it is to write; or a vector of texts that would all be right, of which the first is learned. Default
        /// <c>Target</c>.
        /// </summary>
        public string TargetColumnName { get; set; } = "Target";

        /// <summary>
        /// What the model reads of a row, out of several columns or with words around them; a text converts. null, the default, for the
        /// source column as it is.
        /// </summary>
        public PromptTemplate? Prompt { get; set; }

        /// <summary>
        /// Longest source in tokens, special ones counted; of a longer one the end is cut off, unless <see cref="Windows"/> says otherwise.
        /// Within [8, 65536]. Default 512.
        /// </summary>
        public int MaximumSourceTokens { get; set; } = 512;

        /// <summary>
        /// Longest target in tokens, the end token counted; of a longer one the end is cut off. Within [2, 65536]. Default 128.
        /// </summary>
        public int MaximumTargetTokens { get; set; } = 128;

        /// <summary>
        /// Reads a longer source in several windows, each answered by itself: for questions about long texts. null, the default, cuts it.
        /// </summary>
        public ContextWindows? Windows { get; set; }

        /// <summary>
        /// The GW-MoE paper's settings for a task of GLUE as text: <see cref="GeneratorTrainingConfig.Glue"/>, the task's prompt, 256
        /// tokens. Targets are the labels' digits as text.
        /// </summary>
        /// <param name="task">The task.</param>
        /// <param name="columns">See <see cref="PromptTemplate.Glue"/>.</param>
        public static Options Glue(GlueTask task, params IReadOnlyList<string> columns)
        {
            var options = Of(GeneratorTrainingConfig.Glue, PromptTemplate.Glue(task, columns));
            (options.MaximumSourceTokens, options.MaximumTargetTokens) = (256, 8);
            return options;
        }

        /// <summary>
        /// The GW-MoE paper's settings for summaries: <see cref="GeneratorTrainingConfig.Summarisation"/>, the prompt, six beams
        /// (<see cref="GenerationOptions.Summarisation"/>), 1,024 tokens read, and the best epoch by ROUGE-Lsum where there are validation
        /// rows.
        /// </summary>
        /// <param name="column">Column of the text.</param>
        public static Options Summarisation(string column)
        {
            var options = Of(GeneratorTrainingConfig.Summarisation, PromptTemplate.Summarisation(column));
            (options.MaximumSourceTokens, options.Generation) = (1024, GenerationOptions.Summarisation);
            options.UsualMetric = TextMetric.RougeLsum;
            return options;
        }

        /// <summary>
        /// The GW-MoE paper's settings for answers out of a context: <see cref="GeneratorTrainingConfig.QuestionAnswering"/>, the prompt,
        /// 384 tokens read and 30 written. Longer contexts are read in windows that overlap by 128 tokens, each with the question in it;
        /// <see cref="ContextWindows.Published"/> is the paper's way.
        /// </summary>
        /// <param name="questionColumn">Column of the question.</param>
        /// <param name="contextColumn">Column of the context.</param>
        public static Options QuestionAnswering(string questionColumn, string contextColumn)
        {
            var options = Of(GeneratorTrainingConfig.QuestionAnswering, PromptTemplate.QuestionAnswering(questionColumn, contextColumn));
            (options.MaximumSourceTokens, options.MaximumTargetTokens) = (384, 30);
            options.Windows = new ContextWindows { ColumnName = contextColumn };
            return options;
        }

        internal override (string Option, int Value) LongestSource => (nameof(MaximumSourceTokens), MaximumSourceTokens);

        internal override (string Option, int Value) LongestTarget => (nameof(MaximumTargetTokens), MaximumTargetTokens);

        private protected override ColumnNames Names => WithOutput(
            PromptNames(Prompt, SourceColumnName, nameof(SourceColumnName)).Read(TargetColumnName, nameof(TargetColumnName)));

        internal override PromptSettings ToPrompt() => new((Prompt ?? PromptTemplate.Of(SourceColumnName)).ToString(), Windows: Windows);

        private protected override void CheckTask()
        {
            base.CheckTask();
            OptionCheck.Range(MaximumSourceTokens, 8, 1 << 16, nameof(MaximumSourceTokens));
            OptionCheck.Range(MaximumTargetTokens, 2, 1 << 16, nameof(MaximumTargetTokens));
            if (Windows is { Overlap: var overlap } && overlap >= MaximumSourceTokens)
            {
                throw new ArgumentException(
                    $"{nameof(Windows)}.{nameof(ContextWindows.Overlap)} is {overlap}, not less than {nameof(MaximumSourceTokens)} = "
                    + $"{MaximumSourceTokens}.",
                    nameof(Windows));
            }
        }

        private static Options Of(GeneratorTrainingConfig config, PromptTemplate prompt)
        {
            var options = new Options { Prompt = prompt };
            options.Take(config);
            return options;
        }
    }
}
