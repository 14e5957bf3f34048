using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// What a training of the default text model cannot do without: to make the model and to take steps on batches that lie ready packed.
/// </summary>
internal sealed class BareTraining
{
    private readonly TextClassifierConfig _config = new() { Training = new TrainingConfig { Seed = 1 } };
    private readonly int _threads;
    private readonly TableTextInput _input;
    private readonly int _classes;
    private readonly Example<EncodedText>[] _rows;
    private readonly (TextBatch Batch, Targets Targets)[] _batches;

    public BareTraining(IReadOnlyList<TextRow> rows, int threads)
    {
        _threads = threads;
        string[] labels = [.. rows.Select(row => row.Label).Distinct()];
        _classes = labels.Length;
        _input = TableTextInput.Create(_config.Input);
        _rows = [.. rows.Select(row => new Example<EncodedText>(_input.Encode(row.Text), Array.IndexOf(labels, row.Label)))];
        var packing = new Packing(false, KeepsLayouts: true);
        _batches = [.. _rows.Chunk(_config.Training.BatchSize).Select(batch => Pack(batch, packing))];
    }

    private (TextBatch Batch, Targets Targets) Pack(Example<EncodedText>[] rows, Packing packing)
    {
        var targets = new Targets();
        targets.Begin(rows.Length);
        foreach (var row in rows)
            targets.Add(row.Target, row.Weight);
        return (new TextBatchPacker(packing, _config.Noise).Pack([.. rows.Select(row => row.Input)], new Random(1), withNoise: true), targets);
    }

    /// <summary>Makes a model and trains it.</summary>
    public void Run(int epochs)
    {
        using var engine = new ManagedEngine(_threads);
        var store = new ParameterStore(engine, seed: 1) { UsedRows = UsedRows.Of(_input.TableRows, _rows.Select(row => row.Input)) };
        var model = TextTraining.Create(engine, _config, _input, _classes, store);
        using var optimizer = ModelOptimizer.Create(engine, store, _config.Training);
        for (var epoch = 0; epoch < epochs; epoch++)
        {
            foreach (var (batch, targets) in _batches)
            {
                using (var tape = engine.BeginTape(training: true, seed: 1))
                {
                    var loss = model.Head.Loss(tape, model.Forward(tape, batch), batch, targets, _config.Training);
                    foreach (var extra in tape.AuxiliaryLosses)
                        loss = tape.Add(loss, extra);
                    tape.Backward(loss);
                }

                optimizer.ClipGradients(_config.Training.MaxGradientNorm);
                optimizer.Step(1f);
            }
        }
    }
}
