using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Training;

/// <summary>Trains a <see cref="TextClassifier"/> from labelled texts.</summary>
public sealed class TextClassifierTrainer
{
    private const float DenseBeta2 = 0.98f;
    private const float TableBeta2 = 0.999f;
    private readonly TextClassifierOptions _options;
    private readonly int _classCount;
    private readonly Engine _engine;
    private readonly bool _usesTokenizer;
    private readonly int _seed;

    /// <summary>Prepares training.</summary>
    /// <param name="options">Input, architecture and training; checked here.</param>
    /// <param name="classCount">Number of classes, C, at least 2.</param>
    /// <param name="engine">Where the model is trained and will live.</param>
    /// <param name="tokenizer">Splits text into subwords; null for hashed words.</param>
    /// <exception cref="ArgumentException">An option is impossible; the message names it.</exception>
    public TextClassifierTrainer(TextClassifierOptions options, int classCount, Engine engine, ISubwordTokenizer? tokenizer = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentOutOfRangeException.ThrowIfLessThan(classCount, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(classCount, TextClassifierOptions.MaximumClasses);
        options.Validate();
        _options = options;
        _classCount = classCount;
        _engine = engine;
        _usesTokenizer = tokenizer is not null;
        _seed = options.Seed ?? 0;
        Input = TextClassifier.CreateInput(options.Lowercase, options.MaximumTokens, options.HashBits, tokenizer);
    }

    /// <summary>Encodes texts for <see cref="Train"/> and for the classifier that it returns.</summary>
    public TextInput Input { get; }

    /// <summary>Trains a classifier.</summary>
    /// <param name="training">Rows to learn from, at least one.</param>
    /// <param name="validation">
    /// Rows to choose the best epoch by; null draws <see cref="TextClassifierOptions.ValidationShare"/> of the training rows.
    /// </param>
    /// <param name="observer">Is told how it goes.</param>
    /// <param name="stop">Ends training after the current step and keeps the best that there is.</param>
    /// <returns>The classifier as it was after the best epoch, or after the last without validation rows.</returns>
    /// <exception cref="ArgumentException">There are no rows, or a label is out of range.</exception>
    /// <exception cref="InvalidOperationException">The loss is no longer finite; the message tells epoch and learning rate.</exception>
    public TextClassifier Train(
        IReadOnlyList<LabelledText> training,
        IReadOnlyList<LabelledText>? validation = null,
        ITrainingObserver? observer = null,
        CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(training);
        CheckRows(training, nameof(training));
        if (!training.Any(row => row.Weight > 0))
            throw new ArgumentException("There are no training rows, or all have weight 0.", nameof(training));
        if (validation is not null)
            CheckRows(validation, nameof(validation));
        else if (_options.ValidationShare > 0)
            (training, validation) = StratifiedSplit.Of(training, _options.ValidationShare, new Random(_seed));

        var store = new ParameterStore(_engine, _seed);
        var classifier = new TextClassifier(_engine, CreateConfig(training), store, Input);
        UnseenRows.Clear(store.Of(ParameterRole.Embedding).Single(), training.Select(row => row.Text));
        using var optimizer = _engine.CreateAdamW(
        [
            new ParameterGroup(store.Of(ParameterRole.Weight), _options.LearningRate, _options.WeightDecay, Beta2: DenseBeta2),
            new ParameterGroup(store.Of(ParameterRole.Bias), _options.LearningRate, Beta2: DenseBeta2),
            new ParameterGroup(store.Of(ParameterRole.Embedding), _options.EmbeddingLearningRate, Beta2: TableBeta2),
            new ParameterGroup(store.Of(ParameterRole.Wide), _options.WideLearningRate, Beta2: TableBeta2),
        ]);
        new TrainingRun(_options, _seed, _engine, classifier, optimizer, training, validation, observer).Execute(stop);
        return classifier;
    }

    private TextClassifierConfig CreateConfig(IReadOnlyList<LabelledText> training) => new()
    {
        Version = TextClassifierConfig.CurrentVersion,
        Classes = _classCount,
        UsesTokenizer = _usesTokenizer,
        TableRows = Input.TableRows,
        HashBits = _options.HashBits,
        WideBits = _options.WideBranch ? WideTable.BitsFor(training, _classCount) : 0,
        Lowercase = _options.Lowercase,
        MaximumTokens = _options.MaximumTokens,
        Width = _options.Width,
        Layers = _options.Layers,
        Heads = _options.Heads,
        MoeEvery = _options.MoeEvery,
        Experts = _options.Experts,
        Router = _options.RouterSettings,
        ExpertWidth = _options.ExpertWidth,
        DenseWidth = (int)Math.Ceiling(_options.ExpertsPerToken * _options.ExpertWidth),
        LoadBalancingCoefficient = _options.LoadBalancingCoefficient,
        RouterZLossCoefficient = _options.RouterZLossCoefficient,
        Dropout = _options.Dropout,
    };

    private void CheckRows(IReadOnlyList<LabelledText> rows, string parameter)
    {
        foreach (var row in rows)
        {
            if ((uint)row.Label >= (uint)_classCount)
                throw new ArgumentException($"Label {row.Label} is not within the {_classCount} classes.", parameter);
            if (!(row.Weight >= 0 && float.IsFinite(row.Weight)))
                throw new ArgumentException($"A row has the weight {row.Weight}; weights are finite and at least 0.", parameter);
        }
    }
}
