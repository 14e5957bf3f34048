using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Training;

/// <summary>Trains a <see cref="TextClassifier"/> from labelled texts.</summary>
public sealed class TextClassifierTrainer
{
    private readonly TextClassifierOptions _options;
    private readonly int _classCount;
    private readonly Engine _engine;
    private readonly bool _usesTokenizer;
    private readonly InitialTextModel? _initial;

    /// <summary>Prepares training.</summary>
    /// <param name="options">Input, architecture and training; checked here and copied.</param>
    /// <param name="classCount">Number of classes, C, at least 2.</param>
    /// <param name="engine">Where the model is trained and will live.</param>
    /// <param name="tokenizer">Splits text into subwords; null for hashed words.</param>
    /// <param name="initial">
    /// What to start from; null for chance. Architecture, router and case are then this model's, whatever the options say, and so are
    /// the hashed words when no tokenizer is given.
    /// </param>
    /// <exception cref="ArgumentException">An option is impossible; the message names it.</exception>
    public TextClassifierTrainer(
        TextClassifierOptions options,
        int classCount,
        Engine engine,
        ISubwordTokenizer? tokenizer = null,
        InitialTextModel? initial = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentOutOfRangeException.ThrowIfLessThan(classCount, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(classCount, IClassifierOptions.MaximumClasses);
        _options = (TextClassifierOptions)options.Clone();
        initial?.Config.ApplyTo(_options);
        _options.Validate();
        _classCount = classCount;
        _engine = engine;
        _usesTokenizer = tokenizer is not null;
        _initial = initial;
        Input = TextInput.Create(_options.Lowercase, _options.MaximumTokens, _options.HashBits, tokenizer);
    }

    /// <summary>Encodes texts for <see cref="Train"/> and for the classifier that it returns.</summary>
    public TextInput Input { get; }

    /// <summary>Trains a classifier.</summary>
    /// <param name="training">Rows to learn from, at least one.</param>
    /// <param name="validation">
    /// Rows to choose the best epoch by; null draws <see cref="EncoderOptions.ValidationShare"/> of the training rows.
    /// </param>
    /// <param name="observer">Is told how it goes.</param>
    /// <param name="stop">Ends training after the current step and keeps the best that there is.</param>
    /// <returns>The classifier as it was after the best epoch, or after the last without validation rows.</returns>
    /// <exception cref="ArgumentException">There are no rows, or a label is out of range.</exception>
    /// <exception cref="InvalidOperationException">The loss is no longer finite; the message tells epoch and learning rate.</exception>
    public TextClassifier Train(
        IReadOnlyList<LabelledRow<EncodedText>> training,
        IReadOnlyList<LabelledRow<EncodedText>>? validation = null,
        ITrainingObserver? observer = null,
        CancellationToken stop = default)
    {
        (training, validation) = ClassifierTraining<EncodedText>.Prepare(training, validation, _classCount, _options);
        var config = CreateConfig(training);
        var store = new ParameterStore(_engine, Seed, _initial is null ? null : _initial.StartOf)
        {
            UsedRows = UsedRows.Of(config.TableRows, training.Select(row => row.Input)),
        };
        var classifier = new TextClassifier(_engine, config, store, Input);
        using var optimizer = ModelOptimizer.Create(
            _engine, store, _options, _options.EmbeddingLearningRate, _options.WideLearningRate, _options.FreezeRouter);
        var forward = new TextClassifierForward(classifier, options: _options);
        new ClassifierTraining<EncodedText>(_options, _options, _engine, classifier, forward).Execute(
            optimizer, training, validation, EpochRule.EpochsFor(training), (digest, texts) => digest.AddTexts(texts), observer, stop);
        return classifier;
    }

    private int Seed => _options.Seed ?? 0;

    private TextClassifierConfig CreateConfig(IReadOnlyList<LabelledRow<EncodedText>> training)
    {
        var encoder = TextEncoderConfig.From(_options, Input, _usesTokenizer);
        if (_initial is not null)
            encoder = encoder with { DenseWidth = _initial.Config.DenseWidth };
        var wideBits = _options.WideBranch ? WideTable.BitsFor(training, _classCount, _initial?.WideBits ?? 0) : 0;
        return new TextClassifierConfig(encoder, _classCount, wideBits);
    }
}
