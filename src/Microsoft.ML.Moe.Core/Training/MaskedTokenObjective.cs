using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Training;

/// <summary>Learning to guess hidden tokens from those around them.</summary>
internal sealed class MaskedTokenObjective : ITrainingObjective
{
    /// <summary>Seeds the hiding of validation tokens, so that every epoch has to guess the same.</summary>
    private const int ValidationSeed = 15;

    private readonly TextPretrainingOptions _options;
    private readonly Engine _engine;
    private readonly MaskedTokenNetwork _network;
    private readonly TextEncoderConfig _config;
    private readonly TextBatchPacker _packer;
    private readonly TokenMasking _masking;
    private readonly IReadOnlyList<EncodedText> _training;
    private readonly IReadOnlyList<EncodedText> _validation;
    private MaskedTexts? _masked;
    private TextBatch? _batch;
    private ulong _seed;

    public MaskedTokenObjective(
        TextPretrainingOptions options,
        Engine engine,
        MaskedTokenNetwork network,
        TextEncoderConfig config,
        GuessedVocabulary vocabulary,
        IReadOnlyList<EncodedText> training,
        IReadOnlyList<EncodedText> validation)
    {
        _options = options;
        _engine = engine;
        _network = network;
        _config = config;
        _packer = new TextBatchPacker(wideBits: 0, padToLongest: !config.Router.MaskPadding);
        _masking = new TokenMasking(vocabulary, options.MaskShare);
        _training = training;
        _validation = validation;
    }

    /// <inheritdoc/>
    public int Examples => _training.Count;

    /// <inheritdoc/>
    public void BeginEpoch()
    {
    }

    /// <inheritdoc/>
    public void Prepare(ReadOnlySpan<int> examples, Random random)
    {
        var texts = new EncodedText[examples.Length];
        for (var i = 0; i < examples.Length; i++)
            texts[i] = _training[examples[i]];
        _masked = _masking.Mask(texts, random);
        var noise = new InputNoise(random, maskRate: 0f, _options.WordDropRate, wideDropRate: 0f);
        _seed = (ulong)random.NextInt64();
        _batch = _masked.Guesses.Count == 0 ? null : _packer.Pack(_masked.Texts, noise);
    }

    /// <inheritdoc/>
    public Func<float> Accumulate(float scale)
    {
        if (_batch is null)
            return () => 0f;
        using var tape = _engine.BeginTape(training: true, _seed);
        var (logitsMV, losses) = _network.Forward(tape, _batch, _masked!.RowsIn(_batch));
        var reported = tape.CrossEntropy(logitsMV, _masked.Targets, []);
        var loss = losses.Aggregate(reported, tape.Add);
        tape.Backward(loss, scale);
        return reported.ReadLater();
    }

    /// <inheritdoc/>
    public (double Loss, double Accuracy)? Evaluate()
    {
        var random = new Random(ValidationSeed);
        var (loss, right, guesses) = (0.0, 0, 0);
        foreach (var pass in ScoringPasses.Of(_validation, padded: !_config.Router.MaskPadding))
        {
            var masked = _masking.Mask(pass, random);
            if (masked.Guesses.Count == 0)
                continue;
            using var tape = _engine.BeginTape(training: false);
            var batch = _packer.Pack(masked.Texts);
            var (logitsMV, _) = _network.Forward(tape, batch, masked.RowsIn(batch));
            var targets = masked.Targets;
            loss += targets.Length * (double)tape.CrossEntropy(logitsMV, targets, []).ToArray()[0];
            var logits = logitsMV.ToArray();
            for (var i = 0; i < targets.Length; i++)
                right += Evaluation.IndexOfMaximum(logits.AsSpan(i * logitsMV.Columns, logitsMV.Columns)) == targets[i] ? 1 : 0;
            guesses += targets.Length;
        }

        return guesses == 0 ? null : (loss / guesses, (double)right / guesses);
    }
}
