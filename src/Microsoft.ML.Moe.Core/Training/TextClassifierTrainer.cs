using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
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
    /// Whether a linear model over word and word-pair features learns beside the encoder and adds to its scores. It carries small
    /// and many-class tables. Default true.
    /// </summary>
    public bool WideBranch { get; init; } = true;
}

/// <summary>Trains a classifier from labelled texts.</summary>
public sealed class TextClassifierTrainer : ModelTrainer<EncodedText>
{
    private readonly TextClassifierConfig _config;
    private readonly int _classCount;
    private readonly WarmStart? _start;

    /// <summary>Prepares training.</summary>
    /// <param name="config">Input, architecture and training.</param>
    /// <param name="classCount">Number of classes, C, at least 2.</param>
    /// <param name="engine">Where the model is trained and will live.</param>
    /// <param name="tokenizer">Splits text into subwords; null for hashed words.</param>
    /// <param name="start">
    /// What to start from; null for random weights. Architecture, router and case are then this model's, whatever the configuration says,
    /// and so are the hashed words when no tokenizer is given.
    /// </param>
    /// <exception cref="ArgumentException">Values of the configuration contradict each other; the message names them.</exception>
    public TextClassifierTrainer(
        TextClassifierConfig config, int classCount, Engine engine, ISubwordTokenizer? tokenizer = null, WarmStart? start = null)
        : base(WarmStart.EncoderOf(start, config.Encoder), config.Training, engine, start)
    {
        ClassTargets.CheckCount(classCount);
        (_config, _classCount, _start) = (config, classCount, start);
        Input = TextInput.Create((TextInputConfig?)start?.Input ?? config.Input, tokenizer);
    }

    /// <summary>Encodes texts for training and for the model.</summary>
    public TextInput Input { get; }

    private protected override (Input<EncodedText> Input, HeadConfig Head) CreateEnds(IReadOnlyList<Example<EncodedText>> training)
    {
        var wideBits = _config.WideBranch ? WideTable.BitsFor(training, _classCount, _start?.WideBits ?? 0) : 0;
        return (Input, new ClassesHeadConfig { Classes = _classCount, WideBits = wideBits });
    }

    private protected override Packer<EncodedText> CreatePacker(Model<EncodedText> model) =>
        new TextBatchPacker(model.Packing(), _config.Noise);

    private protected override int EpochsFor(IReadOnlyList<Example<EncodedText>> training) => EpochRule.EpochsFor(training);

    private protected override void Check(Example<EncodedText> row, string parameter) => ClassTargets.Check(row.Target, _classCount, parameter);

    private protected override bool[] UsedRows(IReadOnlyList<Example<EncodedText>> training) =>
        Inputs.UsedRows.Of(Input.TableRows, training.Select(row => row.Input));

    private protected override void AddTo(TrainingDigest digest) => digest.AddJson(_config.Noise).AddJson(_config.WideBranch);
}
