using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe;

public sealed partial class MoeLanguageModelTrainer
{
    /// <summary>Columns, model, training and writing of <see cref="MoeLanguageModelTrainer"/>.</summary>
    public sealed class Options : MoeTextGeneratorOptions
    {
        /// <summary>Column of the prompt. Default <c>Prompt</c>. Not looked at where there is a <see cref="Prompt"/>.</summary>
        public string PromptColumnName { get; set; } = "Prompt";

        /// <summary>
        /// Column of the text that follows the prompt, which alone is learned; or a vector of texts that would all be right, of which the
        /// first is learned. Default <c>Completion</c>. null for a table of plain texts: then the text in the prompt's column is learned
        /// itself, from its second token on, a long one in pieces.
        /// </summary>
        public string? CompletionColumnName { get; set; } = "Completion";

        /// <summary>
        /// What the model reads before the completion, out of several columns or with words around them; a text converts. null, the
        /// default, for the prompt's column as it is.
        /// </summary>
        public PromptTemplate? Prompt { get; set; }

        /// <summary>
        /// Whether the prompt is a user's turn in the conversation format of the model's own files (<see cref="ChatTemplate"/>), and the
        /// completion the answer. Default false.
        /// </summary>
        public bool UsesChatTemplate { get; set; }

        /// <summary>
        /// What conversations begin with, as the system's turn; null, the default, for nothing. Only with <see cref="UsesChatTemplate"/>.
        /// </summary>
        public string? SystemPrompt { get; set; }

        /// <summary>
        /// Longest prompt in tokens, special ones counted; of a longer one the beginning is cut off. Longest piece of plain texts. Within
        /// [1, 65536], and not more than the model reads. Default 512.
        /// </summary>
        public int MaximumPromptTokens { get; set; } = 512;

        /// <summary>
        /// Longest completion in tokens, the end token counted; of a longer one the end is cut off. Within [2, 65536], and not more than
        /// half of what the model reads. Default 256.
        /// </summary>
        public int MaximumCompletionTokens { get; set; } = 256;

        internal override (string Option, int Value) LongestSource => (nameof(MaximumPromptTokens), MaximumPromptTokens);

        internal override (string Option, int Value) LongestTarget => (nameof(MaximumCompletionTokens), MaximumCompletionTokens);

        private protected override ColumnNames Names => WithOutput(
            PromptNames(Prompt, PromptColumnName, nameof(PromptColumnName))
                .ReadIfNamed(CompletionColumnName, nameof(CompletionColumnName)));

        internal override PromptSettings ToPrompt() =>
            new((Prompt ?? PromptTemplate.Of(PromptColumnName)).ToString(), UsesChatTemplate, SystemPrompt);

        private protected override void CheckTask()
        {
            base.CheckTask();
            OptionCheck.Range(MaximumPromptTokens, 1, 1 << 16, nameof(MaximumPromptTokens));
            OptionCheck.Range(MaximumCompletionTokens, 2, 1 << 16, nameof(MaximumCompletionTokens));
            if (SystemPrompt is not null && !UsesChatTemplate)
            {
                throw new ArgumentException(
                    $"{nameof(SystemPrompt)} is part of a conversation: set {nameof(UsesChatTemplate)}.", nameof(SystemPrompt));
            }

            if (CompletionColumnName is not null)
                return;
            if (UsesChatTemplate)
            {
                throw new ArgumentException(
                    $"{nameof(UsesChatTemplate)} needs completions, and {nameof(CompletionColumnName)} is null.",
                    nameof(CompletionColumnName));
            }

            if (Metric != TextMetric.Loss)
            {
                throw new ArgumentException(
                    $"{nameof(Metric)} = {Metric} compares answers with completions, and {nameof(CompletionColumnName)} is null.",
                    nameof(Metric));
            }
        }
    }
}
