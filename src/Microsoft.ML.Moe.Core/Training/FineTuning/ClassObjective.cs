using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>Fine-tuning by cross-entropy of the classes: the rows in batches as they come.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
internal sealed class ClassObjective<TRow>(
    Model<TRow> model,
    TuningRows<TRow> rows,
    int[] numbers,
    IReadOnlyList<Example<TRow>> validation,
    int firstBlock,
    TrainingConfig training) : EncoderObjective<TRow>(model, rows, validation, firstBlock, training)
{
    /// <inheritdoc/>
    public override int Examples => numbers.Length;

    /// <inheritdoc/>
    protected override void Choose(ReadOnlySpan<int> examples, List<int> rows)
    {
        foreach (var example in examples)
            rows.Add(numbers[example]);
    }

    /// <inheritdoc/>
    protected override Tensor Loss(Tape tape, EncoderOutput encoded, Batch batch, Targets targets, float labelSmoothing) =>
        tape.CrossEntropy(Head.Forward(tape, encoded, batch), targets.Classes, targets.Weights, labelSmoothing);
}
