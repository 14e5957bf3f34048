using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Fine-tuning by supervised contrast of the pooled last states, with half the cross-entropy of the classes beside it. A batch is made of
/// pairs of rows of one class, so that each row has another to come close to.
/// </summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
internal sealed class ContrastObjective<TRow> : EncoderObjective<TRow>
{
    private const float Temperature = 0.07f;
    private const float ShareOfCrossEntropy = 0.5f;

    private readonly int[][] _rowsOfClasses;
    private readonly int _seed;
    private readonly (int First, int Second)[] _pairs;

    public ContrastObjective(
        Model<TRow> model,
        TuningRows<TRow> rows,
        int[] numbers,
        IReadOnlyList<Example<TRow>> validation,
        int firstBlock,
        TrainingConfig training)
        : base(model, rows, validation, firstBlock, training)
    {
        _rowsOfClasses = [.. numbers.GroupBy(number => rows.Examples[number].Target).OrderBy(g => g.Key).Select(g => g.ToArray())];
        _seed = training.Seed;
        _pairs = new (int, int)[_rowsOfClasses.Sum(ofClass => (ofClass.Length + 1) / 2)];
    }

    /// <summary>Pairs of rows.</summary>
    public override int Examples => _pairs.Length;

    /// <summary>Pairs the rows of each class anew.</summary>
    public override void BeginEpoch(int epoch, IReadOnlyList<double>? state)
    {
        base.BeginEpoch(epoch, state);
        var random = new Random(TrainingSchedule.SeedOf(_seed, epoch));
        var next = 0;
        foreach (var ordered in _rowsOfClasses)
        {
            // of what other epochs have made of it nothing is left: a training that is taken up again has not seen them
            int[] ofClass = [.. ordered];
            random.Shuffle(ofClass);
            for (var i = 0; i < ofClass.Length; i += 2)
                // the odd one out is paired with one that has its partner already
                _pairs[next++] = (ofClass[i], ofClass[i + 1 < ofClass.Length ? i + 1 : 0]);
        }
    }

    /// <inheritdoc/>
    protected override void Choose(ReadOnlySpan<int> examples, List<int> rows)
    {
        foreach (var example in examples)
        {
            var (first, second) = _pairs[example];
            rows.Add(first);
            if (second != first)
                rows.Add(second);
        }
    }

    /// <inheritdoc/>
    protected override Tensor Loss(Tape tape, EncoderOutput encoded, Batch batch, Targets targets, float labelSmoothing)
    {
        var embeddings = PooledStates.Of(tape, encoded, batch.Layout, layers: 1);
        var contrast = SupervisedContrast.Loss(tape, embeddings, targets.Classes, Temperature, targets.Weights);
        var crossEntropy = tape.CrossEntropy(Head.Forward(tape, encoded, batch), targets.Classes, targets.Weights, labelSmoothing);
        return tape.Add(contrast, tape.Scale(crossEntropy, ShareOfCrossEntropy));
    }
}
