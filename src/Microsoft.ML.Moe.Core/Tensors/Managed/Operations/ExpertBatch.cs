using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// A plan's pairs as rows of matrices: pair p is row p, the rows of an expert are neighbours. Work is divided into
/// runs of rows of one expert.
/// </summary>
internal readonly unsafe struct ExpertBatch
{
    // Experts' numbers of rows differ: the smaller the runs, the less the last ones keep one thread waiting for another; the larger, the
    // less often an expert's weights are read.
    private const int RunsOfThread = 8;

    private readonly ManagedTape _tape;
    private readonly ExpertRun* _runs;
    private readonly int _runCount;

    /// <summary>Lays out a plan's pairs.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="memory">Holds the pairs and runs.</param>
    /// <param name="plan">The pairs.</param>
    /// <param name="experts">Weights.</param>
    public ExpertBatch(ManagedTape tape, Arena memory, RoutingPlan plan, in ExpertTensors experts)
    {
        _tape = tape;
        Experts = experts;
        Tokens = plan.Tokens;
        Pairs = plan.Pairs;
        TokenPairs = plan.ByToken;
        Offsets = memory.AllocateIntegers(experts.Count + 1);
        plan.ExpertOffsets.CopyTo(new Span<int>(Offsets, experts.Count + 1));
        TokenOfPair = memory.AllocateIntegers(Pairs);
        plan.PairTokens.CopyTo(new Span<int>(TokenOfPair, Pairs));
        var products = experts.Gate is null ? 2 : 3;
        MultiplyAdds = (long)Pairs * experts.Width * experts.HiddenWidth * products;
        RunRows = Gemm.ItemRows(tape.Kernels, Pairs, MultiplyAdds, tape.Workers.Threads, RunsOfThread);
        _runs = (ExpertRun*)memory.AllocateIntegers(ExpertRun.Integers * (experts.Count + (long)Pairs / RunRows));
        _runCount = 0;
        for (var expert = 0; expert < experts.Count; expert++)
        {
            var parts = new RowParts(tape.Kernels, RowsOf(expert), RunRows);
            for (var part = 0; part < parts.Count; part++)
            {
                var (first, rows) = parts[part];
                _runs[_runCount++] = new ExpertRun(expert, Offsets[expert] + first, rows);
            }
        }
    }

    public ExpertTensors Experts { get; }

    /// <summary>T.</summary>
    public int Tokens { get; }

    /// <summary>P.</summary>
    public int Pairs { get; }

    /// <summary>First row of each expert and, last, P.</summary>
    public int* Offsets { get; }

    /// <summary>The pairs by token.</summary>
    public TokenPairs TokenPairs { get; }

    /// <summary>Token of each pair.</summary>
    public int* TokenOfPair { get; }

    /// <summary>Multiply–adds of a forward pass.</summary>
    public long MultiplyAdds { get; }

    /// <summary>Most rows in a run.</summary>
    public int RunRows { get; }

    /// <summary>Rows of an expert.</summary>
    public int RowsOf(int expert) => Offsets[expert + 1] - Offsets[expert];

    /// <summary>Runs body(run, worker) over all rows.</summary>
    public void Run<TBody>(TBody body)
        where TBody : struct, IExpertBody =>
        _tape.Workers.Run(_runCount, Gemm.Work(MultiplyAdds), new RunLoop<TBody>(_runs, body));

    /// <summary>
    /// Makes second factors of stacked matrices: those that the parameter keeps packed, or else some to <see cref="Pack"/> where the
    /// expert has rows enough.
    /// </summary>
    /// <param name="weights">[E, …] stacked matrices.</param>
    /// <param name="columns">Columns of a factor.</param>
    /// <param name="depth">Rows of a factor.</param>
    /// <param name="isTransposed">Whether a factor is the transpose of what is stacked.</param>
    public ExpertFactors Factors(ManagedTensor weights, int columns, int depth, bool isTransposed)
    {
        var kept = weights.PackedFor(_tape, isTransposed);
        if (kept is not null)
            return new ExpertFactors(_tape.Kernels, weights, columns, depth, isTransposed, null, kept);
        var packed = (float**)_tape.Scratch.Allocate(sizeof(float*) / sizeof(float) * Experts.Count);
        for (var expert = 0; expert < Experts.Count; expert++)
        {
            packed[expert] = SecondFactor.Allocate(_tape, weights.Matrix(expert, isTransposed), columns, depth, RowsOf(expert));
        }

        return new ExpertFactors(_tape.Kernels, weights, columns, depth, isTransposed, packed, null);
    }

    /// <summary>The factors of a forward pass, packed; the gate's is the default where there is no gate.</summary>
    public (ExpertFactors W1, ExpertFactors W2, ExpertFactors Gate) ForwardFactors()
    {
        var (width, hidden) = (Experts.Width, Experts.HiddenWidth);
        var w1 = Factors(Experts.W1, hidden, width, isTransposed: false);
        var w2 = Factors(Experts.W2, width, hidden, isTransposed: false);
        var gate = Experts.Gate is null ? default : Factors(Experts.Gate, hidden, width, isTransposed: false);
        Pack(w1, w2, gate);
        return (w1, w2, gate);
    }

    /// <summary>Packs all panels of the factors that are to be packed.</summary>
    /// <param name="first">Some factors.</param>
    /// <param name="second">Others.</param>
    /// <param name="third">Others; the default where there are none.</param>
    public void Pack(in ExpertFactors first, in ExpertFactors second, in ExpertFactors third)
    {
        var experts = Experts.Count;
        if (!first.NeedPacking(experts) && !second.NeedPacking(experts) && !third.NeedPacking(experts))
            return;
        var panels = first.Panels + second.Panels + third.Panels;
        var work = experts * (first.Length + second.Length + third.Length);
        _tape.Workers.Run(experts * panels, work, new PanelPacking(panels, first, second, third));
    }

    /// <summary>
    /// resultTD[t] = or += Σ over the token's pairs, by ascending expert, of weight·rowsPD[pair]; rowsPD at <see cref="Gemm.RowStride"/>.
    /// </summary>
    public void Combine(float* rowsPD, float* weightsP, float* resultTD, bool accumulate) => PairSums.Run(
        _tape, TokenPairs, Tokens, Pairs, rowsPD, Gemm.RowStride(Experts.Width), Experts.Width, weightsP, resultTD, accumulate);

    private readonly struct RunLoop<TBody>(ExpertRun* runs, TBody body) : ILoopBody
        where TBody : struct, IExpertBody
    {
        public void Run(int item, int worker) => body.Run(runs[item], worker);
    }

    private readonly struct PanelPacking(int panels, ExpertFactors first, ExpertFactors second, ExpertFactors third) : ILoopBody
    {
        public void Run(int item, int worker)
        {
            var (expert, panel) = (item / panels, item % panels);
            if (panel < first.Panels)
                first[expert].Pack(panel);
            else if (panel < first.Panels + second.Panels)
                second[expert].Pack(panel - first.Panels);
            else
                third[expert].Pack(panel - first.Panels - second.Panels);
        }
    }
}
