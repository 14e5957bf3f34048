using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>
/// What a low-rank adapter adds to a matrix (Hu et al. 2021, "LoRA: Low-rank adaptation of large language models", section 4.1), of all its
/// columns or of a run of them.
/// </summary>
/// <param name="A">[I, R], or [E, I, R] of experts' matrices. Several parts may have the same.</param>
/// <param name="B">[R, O], or [E, R, O]; O of the run.</param>
/// <param name="Scaling">Factor of what both give.</param>
/// <param name="FirstColumn">Where the run begins.</param>
internal sealed record AdapterPart(Parameter A, Parameter B, float Scaling, int FirstColumn)
{
    /// <summary>Columns of the run.</summary>
    public int Columns => B.Value.Columns;
}

/// <summary>
/// The adapter of one matrix W [I, O], or of the stacked matrices of experts [E, I, O]:
/// <code>y = x·W + scaling·(dropout(x)·A)·B</code>
/// W stays as it is, whatever it is stored in; A and B learn.
/// </summary>
/// <param name="parts">The runs of columns that it changes, in their order.</param>
/// <param name="columns">O.</param>
/// <param name="dropout">Rate within [0, 1) at which elements of its input are dropped while training.</param>
internal sealed class Adapter(IReadOnlyList<AdapterPart> parts, int columns, float dropout)
{
    /// <summary>The runs of columns that it changes, in their order.</summary>
    public IReadOnlyList<AdapterPart> Parts => parts;

    /// <summary>Adds to the product of a linear layer.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="y">[…, O], x·W.</param>
    /// <param name="x">[…, I].</param>
    public Tensor AddTo(Tape tape, Tensor y, Tensor x) =>
        AddTo(tape, y, x, (rows, a) => tape.Linear(rows, a), (rows, b) => tape.Linear(rows, b));

    /// <summary>Adds to the logits of a router, in single precision as these.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="logitsTE">[T, E], x·W.</param>
    /// <param name="xTD">[T, D].</param>
    public Tensor AddToLogits(Tape tape, Tensor logitsTE, Tensor xTD) =>
        AddTo(tape, logitsTE, xTD, (rows, a) => tape.RouterLogits(rows, a), (rows, b) => tape.RouterLogits(rows, b));

    /// <summary>Adds to the products of a plan's pairs with their experts' matrices; experts without pairs cost nothing.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="yPO">[P, O], of each pair x·W.</param>
    /// <param name="xTI">[T, I].</param>
    /// <param name="plan">The pairs.</param>
    public Tensor AddToPairs(Tape tape, Tensor yPO, Tensor xTI, RoutingPlan plan)
    {
        var ofPairs = plan.OfPairs();
        return AddTo(tape, yPO, xTI, (rows, a) => tape.ExpertLinear(rows, a, plan), (rows, b) => tape.ExpertLinear(rows, b, ofPairs));
    }

    private Tensor AddTo(
        Tape tape, Tensor y, Tensor x, Func<Tensor, Parameter, Tensor> first, Func<Tensor, Parameter, Tensor> second)
    {
        var added = new List<Tensor>();
        var column = 0;
        foreach (var part in parts)
        {
            AddZeros(part.FirstColumn);
            var narrow = first(tape.Dropout(x, dropout), part.A);
            added.Add(second(part.Scaling == 1f ? narrow : tape.Scale(narrow, part.Scaling), part.B));
            column = part.FirstColumn + part.Columns;
        }

        AddZeros(columns);
        return tape.Add(y, added.Count == 1 ? added[0] : tape.Concat([.. added]));

        // of the columns up to the next run
        void AddZeros(int next)
        {
            if (next > column)
                added.Add(tape.Constant(new float[y.Rows * (next - column)], y.Rows, next - column));
        }
    }
}
