using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Input, architecture and training of a text classifier. The defaults are chosen on validation data to do well on tables from a few
/// hundred to a hundred thousand rows; every one of them can stay as it is.
/// </summary>
public sealed record TextClassifierConfig
{
    /// <summary>How text becomes tokens.</summary>
    public TextInputConfig Input { get; init; } = new();

    /// <summary>The architecture.</summary>
    public EncoderConfig Encoder { get; init; } = new();

    /// <summary>Noise on texts while training.</summary>
    public TextNoise Noise { get; init; } = new();

    /// <summary>How the model is trained.</summary>
    public TrainingConfig Training { get; init; } = new();

    /// <summary>
    /// Whether a linear model over words, word pairs and character n-grams counts beside the encoder. It carries small and many-class
    /// tables. It is fitted apart, and how much each of the two counts is fitted on rows that neither has learned from: the validation
    /// rows, or else a tenth of the training rows, which the encoder then does not see, and which choose its
    /// best epoch. Default true.
    /// </summary>
    public bool LinearBranch { get; init; } = true;
}

/// <summary>Trains a classifier from labelled texts.</summary>
public sealed class TextClassifierTrainer : ModelTrainer<EncodedText>
{
    private readonly TextClassifierConfig _config;
    private readonly int _classCount;
    private readonly ISubwordTokenizer? _tokenizer;
    private readonly LinearBranchTraining? _linear;
    private readonly TableTextInput _unadapted;
    private TableTextInput _input;

    /// <summary>Prepares training.</summary>
    /// <param name="config">Input, architecture and training.</param>
    /// <param name="classCount">Number of classes, C, at least 2.</param>
    /// <param name="engine">Where the model is trained and will live.</param>
    /// <param name="tokenizer">Splits text into subwords; null for hashed words.</param>
    /// <param name="start">
    /// What to start from; null for random weights. Architecture, router and case are then this model's, whatever the configuration says,
    /// and so are the hashed words when no tokenizer is given. The linear branch starts anew.
    /// </param>
    /// <exception cref="ArgumentException">Values of the configuration contradict each other; the message names them.</exception>
    public TextClassifierTrainer(
        TextClassifierConfig config, int classCount, Engine engine, ISubwordTokenizer? tokenizer = null, WarmStart? start = null)
        : base(WarmStart.EncoderOf(start, config.Encoder), config.Training, engine, start)
    {
        ClassTargets.CheckCount(classCount);
        (_config, _classCount, _tokenizer) = (config, classCount, tokenizer);
        if (config.LinearBranch)
            _linear = new LinearBranchTraining(classCount, config.Training, engine.HostThreads);
        var input = ((TextInputConfig?)start?.Input ?? config.Input) with
        {
            MaximumTokens = config.Input.MaximumTokens,
            WordCacheMebibytes = config.Input.WordCacheMebibytes,
        };
        _unadapted = _input = TableTextInput.Create(
            input with { Linear = config.LinearBranch ? LinearInput.Undecided : LinearInput.None }, tokenizer);
        _input.BeginLearning();
    }

    /// <summary>Encodes texts for training. The model's own may cut them shorter.</summary>
    public TextInput Input => _unadapted;

    private protected override TrainingRows<EncodedText> Arrange(
        TrainingRows<EncodedText> rows, ITrainingObserver? observer, CancellationToken stop)
    {
        rows = Adapt(rows, observer);
        return _linear is null ? rows : _linear.Fit(rows, observer, stop);
    }

    private protected override (Input<EncodedText> Input, HeadConfig Head) CreateEnds(IReadOnlyList<Example<EncodedText>> training) =>
        (_input, new ClassesHeadConfig { Classes = _classCount });

    private protected override Packer<EncodedText> CreatePacker(Model<EncodedText> model) =>
        new TextBatchPacker(model.Packing(), _config.Noise);

    private protected override int EpochsFor(IReadOnlyList<Example<EncodedText>> training) => EpochRule.EpochsFor(training);

    private protected override void Check(Example<EncodedText> row, string parameter) => ClassTargets.Check(row.Target, _classCount, parameter);

    private protected override bool[] UsedRows(IReadOnlyList<Example<EncodedText>> training) =>
        Inputs.UsedRows.Of(_unadapted.TableRows, training.Select(row => row.Input));

    private protected override void AddTo(TrainingDigest digest) => digest.AddJson(_config.Noise).AddJson(_config.LinearBranch);

    private protected override Model<EncodedText> Finish(
        Model<EncodedText> model, TrainingRows<EncodedText> rows, ITrainingObserver? observer, CancellationToken stop)
    {
        if (_linear is not null)
            model = new Model<EncodedText>(
                Engine, model.Config, _input, new ParameterStore(model.Parameters), _linear.Finish(model, rows, observer, stop));
        _input.EndLearning();
        return model;
    }

    /// <summary>Settles what of the input follows the training texts, and gives the rows as that input reads them.</summary>
    private TrainingRows<EncodedText> Adapt(TrainingRows<EncodedText> rows, ITrainingObserver? observer)
    {
        var config = _unadapted.Config;
        var linear = _linear is null ? LinearInput.None : LinearBranchTraining.InputFor(rows.Training.Select(row => row.Input));
        var length = config.LengthFor(rows.Training.Select(row => row.Input.Length));
        _input = TableTextInput.Create(config with { MaximumTokens = length, Linear = linear }, _tokenizer);
        _input.BeginLearning();
        var read = rows with { Training = _input.Read(rows.Training, Engine), Validation = _input.Read(rows.Validation, Engine) };
        if (config.MaximumTokens is null)
        {
            var longer = read.Training.Count(row => row.Input.TokensCutOff > 0);
            observer?.OnMessage($"MaximumTokens = {length} follows from the texts; {longer} of {read.Training.Count} are longer and are cut off.");
        }

        return read;
    }
}
