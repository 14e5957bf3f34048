using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.SearchSpace;

namespace Microsoft.ML.Moe;

public sealed partial class MoeTextClassificationTrainer
{
    /// <summary>
    /// Columns, input, architecture and training of <see cref="MoeTextClassificationTrainer"/>. The defaults are chosen on validation
    /// data to do well on tables from a few hundred to a hundred thousand rows. All of it can stay as it is, but for the columns' names.
    /// </summary>
    public sealed class Options : MoeClassifierOptions
    {
        /// <summary>Sets the default that differs from that of other models: a fifth of dropout.</summary>
        public Options() => Dropout = 0.2f;

        /// <summary>Column of the text. Default <c>Sentence1</c>.</summary>
        public string Sentence1ColumnName { get; set; } = "Sentence1";

        /// <summary>Column of the second text of a pair; null without one. Default null.</summary>
        public string? Sentence2ColumnName { get; set; }

        /// <summary>
        /// A published encoder to begin with, such as <see cref="PublishedEncoder.MiniLM"/> of the package MlNetMoe.MiniLM; null trains a
        /// mixture of experts from nothing. With an encoder, the options of architecture, input and training that name no encoder do
        /// not count, but for those of validation, weights, smoothing, seed, device, checkpoint and the like: <see cref="FineTuning"/> takes
        /// their place. Default null.
        /// </summary>
        public PublishedEncoder? Encoder { get; set; }

        /// <summary>
        /// How much of <see cref="Encoder"/> is trained: <see cref="FineTuning.Auto"/> (the table decides), <see cref="FineTuning.None"/>,
        /// <see cref="FineTuning.TopLayers"/> or <see cref="FineTuning.AllLayers"/>. Default <see cref="FineTuning.Auto"/>.
        /// </summary>
        public FineTuning FineTuning { get; set; } = FineTuning.Auto;

        /// <summary>
        /// Keeps what <see cref="Encoder"/>, frozen, makes of texts, for further trainings on the same texts: folds, seeds, sweeps. null keeps
        /// nothing. Default null.
        /// </summary>
        public EncoderStateCache? KeptStates { get; set; }

        /// <summary>Makes a mixture of experts of <see cref="Encoder"/>; null leaves it as it is. Default null.</summary>
        public Upcycling? Upcycling { get; set; }

        /// <summary>Whether text is lower-cased (invariant culture) before it is split. Default true.</summary>
        public bool Lowercase { get; set; } = true;

        /// <summary>
        /// Longest input in tokens, both columns of a pair together; what lies beyond is cut off, counted and reported. Within
        /// [8, 4096]. null follows the training texts: 19 of 20 are read whole, as far as 512 tokens do, or 650,000 for all rows together,
        /// but 128 always are.
        /// Default null.
        /// </summary>
        public int? MaximumTokens { get; set; }

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
        /// and reads every language, or as <see cref="MoeClassifierOptions.InitialModel"/> does. With another tokenizer than the
        /// initial model's, what is known of subwords with the same text is kept. Default null.
        /// </summary>
        public TextTokenizer? Tokenizer { get; set; }

        /// <summary>
        /// Whether a linear model over words, word pairs and character n-grams counts beside the encoder. It carries small and many-class
        /// tables. It is fitted apart, and how much each of the two counts is fitted on rows that neither has learned from: the
        /// validation rows, or else a tenth of the training rows, which the encoder then does not see, and which choose
        /// its best epoch. Default true.
        /// </summary>
        public bool LinearBranch { get; set; } = true;

        /// <summary>Peak learning rate of embedding tables, over 0. Default 1e-2.</summary>
        [Range(2e-3f, 3e-2f, 1e-2f, true)]
        public float EmbeddingLearningRate { get; set; } = 1e-2f;

        /// <summary>Probability that a token is hidden from the encoder while training, within [0, 1). Default 0.1.</summary>
        [Range(0f, 0.3f, 0.1f)]
        public float TokenMaskRate { get; set; } = 0.1f;

        /// <summary>
        /// Probability that only a word's character n-grams are shown while training, so that the model learns to read unseen words.
        /// Within [0, 1). Default 0.1. Not used with a tokenizer.
        /// </summary>
        public float WordDropRate { get; set; } = 0.1f;

        /// <summary>
        /// What the weight matrices are in the model zip. <see cref="ElementType.BFloat16"/> halves it; probabilities of the loaded model then
        /// differ by up to 1e-2, and those of a mixture by more where a token goes to another expert. Default
        /// <see cref="ElementType.Float32"/>.
        /// </summary>
        public ElementType StoredWeights { get; set; }

        /// <inheritdoc/>
        internal override TextClassificationColumns Columns =>
            new(Sentence1ColumnName, Sentence2ColumnName, PredictedLabelColumnName, ScoreColumnName, Uncertainty);

        private protected override ColumnNames Names => base.Names
            .Read(Sentence1ColumnName, nameof(Sentence1ColumnName))
            .ReadIfNamed(Sentence2ColumnName, nameof(Sentence2ColumnName));

        internal override IEnumerable<(string Option, string Reason)> WithoutEffect()
        {
            foreach (var option in base.WithoutEffect())
                yield return option;
            if (Tokenizer is not null)
            {
                foreach (var option in Changed(nameof(HashBits), nameof(WordDropRate), nameof(WordCacheMebibytes)))
                    yield return (option, $"{nameof(Tokenizer)} gives the tokens");
            }

            if (InitialModel is not null)
            {
                foreach (var option in Changed(nameof(HashBits), nameof(Lowercase)))
                    yield return (option, $"it is that of {nameof(InitialModel)}");
            }

            if (Encoder is null)
            {
                foreach (var option in Changed(nameof(FineTuning), nameof(KeptStates)))
                    yield return (option, $"{nameof(Encoder)} is null");
            }
        }

        private protected override bool DecidesArchitecture => base.DecidesArchitecture && Encoder is null;

        private protected override void CheckTask()
        {
            base.CheckTask();
            EncoderCheck.Of(FineTuning);
            CheckEncoder();
            OptionCheck.Saved(StoredWeights, nameof(StoredWeights));
            _ = ToConfig();
        }

        internal override TrainingConfig ToTrainingConfig() => base.ToTrainingConfig() with
        {
            EmbeddingLearningRate = EmbeddingLearningRate,
        };

        /// <summary>How a published encoder is trained on a table.</summary>
        internal PublishedTextConfig ToPublishedConfig() => new()
        {
            MaximumTokens = MaximumTokens,
            LinearBranch = LinearBranch,
            FineTuning = FineTuning,
            KeptStates = KeptStates,
            LoadBalancingCoefficient = LoadBalancingCoefficient,
            RouterZLossCoefficient = RouterZLossCoefficient,
            Training = ToTrainingConfig(),
            FromScratch = ToConfig(),
        };

        /// <summary>Throws where options contradict a published encoder, or need one.</summary>
        private void CheckEncoder()
        {
            EncoderCheck.Of(Encoder, InitialModel, Upcycling, Uncertainty);
            if (Encoder is null)
                return;
            if (Tokenizer is not null)
                throw new ArgumentException($"{nameof(Encoder)} has a tokenizer of its own: leave {nameof(Tokenizer)} null.", nameof(Tokenizer));
        }

        /// <summary>Input, architecture and training.</summary>
        internal TextClassifierConfig ToConfig() => new()
        {
            Input = new TextInputConfig { Lowercase = Lowercase, MaximumTokens = MaximumTokens, HashBits = HashBits, WordCacheMebibytes = WordCacheMebibytes },
            Encoder = ToEncoderConfig(),
            Noise = new TextNoise { TokenMaskRate = TokenMaskRate, WordDropRate = WordDropRate },
            Training = ToTrainingConfig(),
            LinearBranch = LinearBranch,
        };
    }
}

/// <summary>Names of the columns that a trained text classifier reads and writes.</summary>
/// <param name="Sentence1">Text to classify.</param>
/// <param name="Sentence2">Second text of a pair, or null.</param>
/// <param name="PredictedLabel">Receives the most probable label.</param>
/// <param name="Score">Receives the labels' probabilities.</param>
/// <param name="Uncertainty">Columns about the routers' uncertainty; null when there are none.</param>
internal sealed record TextClassificationColumns(
    string Sentence1, string? Sentence2, string PredictedLabel, string Score, UncertaintyColumns? Uncertainty = null)
    : ClassificationColumns(PredictedLabel, Score, Uncertainty);
