using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// What a training of the default text model cannot do without: to make the model and to take steps on batches that lie ready packed.
/// </summary>
internal sealed class BareTraining
{
    private readonly TextClassifierOptions _options = new() { Seed = 1 };
    private readonly int _threads;
    private readonly TextInput _input;
    private readonly int _classes;
    private readonly LabelledRow<EncodedText>[] _rows;
    private readonly TextClassifierConfig _config;
    private readonly (TextBatch Batch, int[] Targets)[] _batches;

    public BareTraining(IReadOnlyList<TextRow> rows, int threads)
    {
        _threads = threads;
        using var engine = new ManagedEngine(threads);
        string[] labels = [.. rows.Select(row => row.Label).Distinct()];
        _classes = labels.Length;
        _input = new TextClassifierTrainer(_options, _classes, engine).Input;
        _rows = [.. rows.Select(row => new LabelledRow<EncodedText>(_input.Encode(row.Text), Array.IndexOf(labels, row.Label)))];
        var wideBits = WideTable.BitsFor(_rows, _classes);
        _config = new TextClassifierConfig(TextEncoderConfig.From(_options, _input, usesTokenizer: false), _classes, wideBits);
        var noise = new InputNoise(new Random(1), _options.TokenMaskRate, _options.WordDropRate, _options.WideDropRate);
        _batches =
        [
            .. _rows.Chunk(_options.BatchSize).Select(batch => (
                TextBatch.Pack([.. batch.Select(row => row.Input)], wideBits, noise), batch.Select(row => row.Label).ToArray())),
        ];
    }

    /// <summary>Makes a model and trains it.</summary>
    public void Run(int epochs)
    {
        using var engine = new ManagedEngine(_threads);
        var used = UsedRows.Of(_config.TableRows, _rows.Select(row => row.Input));
        var store = new ParameterStore(engine, seed: 1) { UsedRows = used };
        var network = new TextClassifier(engine, _config, store, _input).Network;
        using var optimizer = ModelOptimizer.Create(engine, store, _options, _options.EmbeddingLearningRate, _options.WideLearningRate);
        for (var epoch = 0; epoch < epochs; epoch++)
        {
            foreach (var (batch, targets) in _batches)
            {
                using (var tape = engine.BeginTape(training: true, seed: 1))
                {
                    var (loss, _) = ClassifierLoss.Of(tape, network.Forward(tape, batch), targets, [], _options.LabelSmoothing);
                    tape.Backward(loss);
                }

                optimizer.ClipGradients(_options.MaxGradientNorm);
                optimizer.Step(1f);
            }
        }
    }
}
