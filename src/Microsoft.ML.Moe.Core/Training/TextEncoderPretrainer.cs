using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Trains a <see cref="PretrainedTextEncoder"/> from texts without labels, by guessing hidden words from those around them
/// (Devlin et al. 2019, "BERT: Pre-training of deep bidirectional transformers", section 3.1).
/// </summary>
public sealed class TextEncoderPretrainer
{
    private readonly TextPretrainingOptions _options;
    private readonly Engine _engine;
    private readonly bool _usesTokenizer;

    /// <summary>Prepares pretraining.</summary>
    /// <param name="options">Input, architecture and training; checked here and copied.</param>
    /// <param name="engine">Where the model is trained and will live.</param>
    /// <param name="tokenizer">Splits text into subwords; null for hashed words.</param>
    /// <exception cref="ArgumentException">An option is impossible; the message names it.</exception>
    public TextEncoderPretrainer(TextPretrainingOptions options, Engine engine, ISubwordTokenizer? tokenizer = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(engine);
        options.Validate();
        _options = (TextPretrainingOptions)options.Clone();
        _engine = engine;
        _usesTokenizer = tokenizer is not null;
        Input = TextInput.Create(options.Lowercase, options.MaximumTokens, options.HashBits, tokenizer);
    }

    /// <summary>Encodes texts for <see cref="Train"/>: <see cref="TextInput.EncodePieces"/>, so that nothing of long texts is lost.</summary>
    public TextInput Input { get; }

    /// <summary>Trains an encoder.</summary>
    /// <param name="texts">
    /// Texts to learn from. <see cref="EncoderOptions.ValidationShare"/> of them, drawn at random, choose the best epoch instead.
    /// </param>
    /// <param name="observer">Is told how it goes; accuracy is the share of hidden words guessed right.</param>
    /// <param name="stop">Ends training after the current step and keeps the best that there is.</param>
    /// <returns>The encoder as it was after the best epoch, or after the last without validation texts.</returns>
    /// <exception cref="ArgumentException">There are fewer than two different words to guess.</exception>
    /// <exception cref="InvalidOperationException">The loss is no longer finite; the message tells epoch and learning rate.</exception>
    public PretrainedTextEncoder Train(
        IReadOnlyList<EncodedText> texts, ITrainingObserver? observer = null, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        var (training, validation) = Split(texts);
        var vocabulary = GuessedVocabulary.Of(training, _options.GuessedWords);
        if (vocabulary.Count < 2)
            throw new ArgumentException("The texts have fewer than two different words: there is nothing to guess.", nameof(texts));
        var config = TextEncoderConfig.From(_options, Input, _usesTokenizer);
        var store = new ParameterStore(_engine, Seed) { UsedRows = UsedRows.Of(config.TableRows, training) };
        var network = new MaskedTokenNetwork(store, config, vocabulary.Count);
        var objective = new MaskedTokenObjective(_options, _engine, network, config, vocabulary, training, validation);
        using var optimizer = ModelOptimizer.Create(_engine, store, _options, _options.EmbeddingLearningRate);
        var checkpoint = _options.CheckpointFile is { } file ? new TrainingCheckpoint(file, DigestOf(store, training, validation)) : null;
        var schedule = TrainingSchedule.From(_options, EpochRule.PretrainingEpochsFor(training));
        new TrainingLoop(schedule, objective, optimizer, [.. store.All.Select(p => p.Parameter)], observer, checkpoint).Execute(stop);
        return new PretrainedTextEncoder(_engine, config, new ParameterStore(store), Input);
    }

    private int Seed => _options.Seed ?? 0;

    private (List<EncodedText> Training, List<EncodedText> Validation) Split(IReadOnlyList<EncodedText> texts)
    {
        var random = new Random(Seed);
        var split = (Training: new List<EncodedText>(), Validation: new List<EncodedText>());
        foreach (var text in texts)
            (random.NextSingle() < _options.ValidationShare ? split.Validation : split.Training).Add(text);
        return split;
    }

    private string DigestOf(ParameterStore store, IReadOnlyList<EncodedText> training, IReadOnlyList<EncodedText> validation)
    {
        using var digest = new TrainingDigest();
        digest.AddOptions(_options).AddValues(store.All.Select(p => p.Parameter)).AddTexts(training).AddTexts(validation);
        return digest.ToString();
    }
}
