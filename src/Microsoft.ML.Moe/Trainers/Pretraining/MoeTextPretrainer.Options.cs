using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe;

public sealed partial class MoeTextPretrainer
{
    /// <summary>
    /// Columns, input, architecture and training of <see cref="MoeTextPretrainer"/>. Input and architecture are those of the
    /// classifiers that will start from the encoder.
    /// </summary>
    public sealed class Options : MoeEncoderOptions
    {
        /// <summary>Sets the default that differs from a classifier's: 2 % of the texts are for validation.</summary>
        public Options() => ValidationShare = 0.02f;

        /// <summary>Column of the text. Default <c>Text</c>.</summary>
        public string InputColumnName { get; set; } = "Text";

        /// <summary>
        /// Column that receives the text's vector; may be <see cref="InputColumnName"/>, which the vector then takes the place of. Default
        /// <c>Features</c>.
        /// </summary>
        public string OutputColumnName { get; set; } = "Features";

        /// <summary>Whether text is lower-cased (invariant culture) before it is split. Default true.</summary>
        public bool Lowercase { get; set; } = true;

        /// <summary>Longest input in tokens; longer texts are read in pieces. Within [8, 4096]. Default 128.</summary>
        public int MaximumTokens { get; set; } = 128;

        /// <summary>
        /// Binary logarithm of the number of rows in the hashed embedding table of words and character n-grams. Within [8, 22].
        /// Default 16. Not used with a tokenizer.
        /// </summary>
        public int HashBits { get; set; } = 16;

        /// <summary>
        /// Memory in which the trained model keeps words that it has read before, in MiB, so that they are not hashed anew. Within [0, 1024];
        /// training takes up to 128 for it. Default 16. Not used with a tokenizer.
        /// </summary>
        public int WordCacheMebibytes { get; set; } = 16;

        /// <summary>
        /// Splits text into subwords of a fixed vocabulary; null reads words with their character n-grams, which needs no vocabulary
        /// and reads every language. Default null.
        /// </summary>
        public TextTokenizer? Tokenizer { get; set; }

        /// <summary>Peak learning rate of embedding tables, over 0. Default 1e-2.</summary>
        public float EmbeddingLearningRate { get; set; } = 1e-2f;

        /// <summary>
        /// Probability that only a word's character n-grams are shown while training, so that the model learns to read unseen words.
        /// Within [0, 1). Default 0.1. Not used with a tokenizer.
        /// </summary>
        public float WordDropRate { get; set; } = 0.1f;

        /// <summary>
        /// Share of the words that the model has to predict. Of them 80 % are hidden, 10 % replaced by a random word, 10 % shown as they
        /// are. Within (0, 1). Default 0.15.
        /// </summary>
        public float MaskShare { get; set; } = 0.15f;

        /// <summary>
        /// Words, the most frequent ones, that the model learns to predict; it only reads the others. Within [2, 1048576]. Default 8192.
        /// </summary>
        public int MaskedVocabularySize { get; set; } = 8192;

        private protected override ColumnNames Names => OutputColumnName == InputColumnName
            ? new ColumnNames().Read(InputColumnName, nameof(InputColumnName))
            : new ColumnNames().Read(InputColumnName, nameof(InputColumnName)).Write(OutputColumnName, nameof(OutputColumnName));

        internal override IEnumerable<(string Option, string Reason)> WithoutEffect() => base.WithoutEffect().Concat(
            Tokenizer is null
                ? []
                : Changed(nameof(HashBits), nameof(WordDropRate), nameof(WordCacheMebibytes))
                    .Select(option => (option, $"{nameof(Tokenizer)} gives the tokens")));

        private protected override void CheckTask() => _ = ToConfig();

        internal override TrainingConfig ToTrainingConfig() => base.ToTrainingConfig() with { EmbeddingLearningRate = EmbeddingLearningRate };

        /// <summary>Input, architecture and training.</summary>
        internal TextPretrainingConfig ToConfig() => new()
        {
            Input = new TextInputConfig { Lowercase = Lowercase, MaximumTokens = MaximumTokens, HashBits = HashBits, WordCacheMebibytes = WordCacheMebibytes },
            Encoder = ToEncoderConfig(),
            WordDropRate = WordDropRate,
            Training = ToTrainingConfig(),
            MaskShare = MaskShare,
            MaskedVocabularySize = MaskedVocabularySize,
        };
    }
}

/// <summary>Names of the columns that a pretrained encoder reads and writes.</summary>
/// <param name="Input">The text.</param>
/// <param name="Output">Receives the text's vector.</param>
internal sealed record TextEncoderColumns(string Input, string Output);
