using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Input, architecture and training of a text encoder by masked language modelling (Devlin et al. 2019, "BERT", section 3.1). Input and
/// architecture are those of the classifiers that will start from it.
/// </summary>
public sealed record TextPretrainingConfig
{
    /// <summary>How text becomes tokens. By default 128 of them at most: longer texts are learned from in pieces.</summary>
    public TextInputConfig Input { get; init; } = new() { MaximumTokens = 128 };

    /// <summary>The architecture. By default with a tenth of dropout.</summary>
    public EncoderConfig Encoder { get; init; } = new() { Dropout = 0.1f };

    /// <summary>See <see cref="TextNoise.WordDropRate"/>. Default 0.1.</summary>
    public float WordDropRate { get; init => field = OptionCheck.Rate(value, nameof(WordDropRate)); } = 0.1f;

    /// <summary>How the model is trained. By default 2 % of the texts are for validation.</summary>
    public TrainingConfig Training { get; init; } = new() { ValidationShare = 0.02f };

    /// <summary>
    /// Share of the words that the model has to predict. Of them 80 % are hidden, 10 % replaced by a random word, 10 % shown as they
    /// are. Within (0, 1). Default 0.15.
    /// </summary>
    public float MaskShare
    {
        get;
        init => field = OptionCheck.Positive(OptionCheck.Rate(value, nameof(MaskShare)), nameof(MaskShare));
    } = 0.15f;

    /// <summary>
    /// Words, the most frequent ones, that the model learns to predict; it only reads the others. Within [2, 1048576]. Default 8192.
    /// </summary>
    public int MaskedVocabularySize
    {
        get;
        init => field = OptionCheck.Range(value, 2, 1 << 20, nameof(MaskedVocabularySize));
    } = 8192;
}

/// <summary>
/// Trains a text encoder from texts without labels, by masked language modelling: it predicts hidden words from those around them
/// (Devlin et al. 2019, "BERT: Pre-training of deep bidirectional transformers", section 3.1). The model gives text vectors, and
/// classifiers can start from it (<see cref="WarmStart"/>).
/// </summary>
public sealed class TextEncoderPretrainer : ModelTrainer<EncodedText>
{
    private readonly TextPretrainingConfig _config;
    private readonly TableTextInput _input;
    private MaskedVocabulary? _vocabulary;

    /// <summary>Prepares pretraining.</summary>
    /// <param name="config">Input, architecture and training.</param>
    /// <param name="engine">Where the model is trained and will live.</param>
    /// <param name="tokenizer">Splits text into subwords; null for hashed words.</param>
    /// <exception cref="ArgumentException">Values of the configuration contradict each other; the message names them.</exception>
    public TextEncoderPretrainer(TextPretrainingConfig config, Engine engine, ISubwordTokenizer? tokenizer = null)
        : base(config.Encoder, config.Training, engine)
    {
        _config = config;
        _input = TableTextInput.Create(config.Input, tokenizer);
        _input.BeginLearning();
    }

    /// <summary>Encodes texts for training: <see cref="TextInput.EncodePieces"/>, so that nothing of long texts is lost.</summary>
    public TextInput Input => _input;

    /// <summary>Trains an encoder.</summary>
    /// <param name="texts">
    /// Texts to learn from. <see cref="TrainingConfig.ValidationShare"/> of them, drawn at random, choose the best epoch instead.
    /// </param>
    /// <param name="observer">Receives the progress; accuracy is the share of hidden words predicted right.</param>
    /// <param name="stop">Ends training after the current step and keeps the best that there is.</param>
    /// <returns>The encoder as it was after the best epoch, or after the last without validation texts.</returns>
    /// <exception cref="ArgumentException">There are fewer than two different words to predict.</exception>
    /// <exception cref="InvalidOperationException">The loss is no longer finite; the message tells epoch and learning rate.</exception>
    public Model<EncodedText> Train(
        IReadOnlyList<EncodedText> texts, ITrainingObserver? observer = null, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        return texts.Count == 0
            ? throw TooFewWords()
            : Train([.. texts.Select(text => new Example<EncodedText>(text, 0f))], validation: null, observer, stop);
    }

    private protected override (Input<EncodedText> Input, HeadConfig Head) CreateEnds(IReadOnlyList<Example<EncodedText>> training)
    {
        _vocabulary = MaskedVocabulary.Of(training.Select(row => row.Input), _config.MaskedVocabularySize);
        return _vocabulary.Count < 2 ? throw TooFewWords() : (Input, new MaskedTokenHeadConfig(_vocabulary.Count));
    }

    private protected override Packer<EncodedText> CreatePacker(Model<EncodedText> model)
    {
        var noise = new TextNoise { TokenMaskRate = 0f, WordDropRate = _config.WordDropRate };
        return new TextBatchPacker(model.Packing(), noise, new TokenMasking(_vocabulary!, _config.MaskShare));
    }

    private protected override int EpochsFor(IReadOnlyList<Example<EncodedText>> training) => EpochRule.PretrainingEpochsFor(training);

    private protected override void Check(Example<EncodedText> row, string parameter)
    {
    }

    private protected override (IReadOnlyList<Example<EncodedText>> Training, IReadOnlyList<Example<EncodedText>> Validation) Split(
        IReadOnlyList<Example<EncodedText>> rows)
    {
        var random = new Random(Training.Seed);
        var split = (Training: new List<Example<EncodedText>>(), Validation: new List<Example<EncodedText>>());
        foreach (var row in rows)
            (random.NextSingle() < Training.ValidationShare ? split.Validation : split.Training).Add(row);
        return split;
    }

    private protected override bool[] UsedRows(IReadOnlyList<Example<EncodedText>> training) =>
        Inputs.UsedRows.Of(_input.TableRows, training.Select(row => row.Input));

    /// <summary>The head that predicts words stays behind.</summary>
    private protected override Model<EncodedText> Finish(
        Model<EncodedText> model, TrainingRows<EncodedText> rows, ITrainingObserver? observer, CancellationToken stop)
    {
        _input.EndLearning();
        return new Model<EncodedText>(
            model.Engine, model.Config with { Head = new VectorHeadConfig() }, Input, new ParameterStore(model.Parameters));
    }

    private protected override void AddTo(TrainingDigest digest) =>
        digest.AddJson(_config.WordDropRate).AddJson(_config.MaskShare).AddJson(_config.MaskedVocabularySize);

    private static ArgumentException TooFewWords() =>
        new("The texts have fewer than two different words: there is nothing to predict.", "texts");
}
