using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// A plan's pairs as rows of matrices: pair p is row p, the rows of an expert are neighbours. Work is divided into
/// runs of rows of one expert.
/// </summary>
internal sealed unsafe class ExpertBatch
{
    private readonly ManagedTape _tape;
    private readonly List<(int Expert, int First, int Count)> _runs = [];

    public ExpertBatch(ManagedTape tape, RoutingPlan plan, ExpertTensors experts, bool keep)
    {
        _tape = tape;
        Experts = experts;
        Tokens = plan.Tokens;
        Pairs = plan.Pairs;
        Offsets = (int[])plan.ExpertOffsets.Clone();
        TokenPairs = plan.ByToken;
        var memory = keep ? tape.Memory : tape.Scratch;
        TokenOfPair = memory.AllocateIntegers(Pairs);
        plan.PairTokens.CopyTo(new Span<int>(TokenOfPair, Pairs));
        var products = experts.Gate is null ? 2 : 3;
        MultiplyAdds = (long)Pairs * experts.Width * experts.HiddenWidth * products;
        RunRows = Gemm.ItemRows(tape.Kernels, Pairs, MultiplyAdds, tape.Workers.Threads);
        for (var expert = 0; expert < experts.Count; expert++)
        {
            var parts = new RowParts(tape.Kernels, Offsets[expert + 1] - Offsets[expert], RunRows);
            for (var part = 0; part < parts.Count; part++)
            {
                var (first, rows) = parts[part];
                _runs.Add((expert, Offsets[expert] + first, rows));
            }
        }
    }

    public ExpertTensors Experts { get; }

    /// <summary>T.</summary>
    public int Tokens { get; }

    /// <summary>P.</summary>
    public int Pairs { get; }

    /// <summary>First row of each expert and, last, P.</summary>
    public int[] Offsets { get; }

    /// <summary>Distance of rows [P, D].</summary>
    public int WidthStride => Gemm.RowStride(Experts.Width);

    /// <summary>Distance of rows [P, F].</summary>
    public int HiddenStride => Gemm.RowStride(Experts.HiddenWidth);

    /// <summary>The pairs by token.</summary>
    public TokenPairs TokenPairs { get; }

    /// <summary>Token of each pair.</summary>
    public int* TokenOfPair { get; }

    /// <summary>Multiply–adds of a forward pass.</summary>
    public long MultiplyAdds { get; }

    /// <summary>Most rows in a run.</summary>
    public int RunRows { get; }

    /// <summary>Runs body(expert, first row, rows, worker) over all rows.</summary>
    public void Run(Action<int, int, int, int> body) => _tape.Workers.Run(_runs.Count, Gemm.Work(MultiplyAdds), (item, worker) =>
    {
        var (expert, first, count) = _runs[item];
        body(expert, first, count, worker);
    });

    /// <summary>
    /// Makes second factors of stacked matrices: those that the parameter keeps packed, or else some to <see cref="Pack"/> where the
    /// expert has rows enough.
    /// </summary>
    /// <param name="weights">[E, …] stacked matrices.</param>
    /// <param name="columns">Columns of a factor.</param>
    /// <param name="depth">Rows of a factor.</param>
    /// <param name="isTransposed">Whether a factor is the transpose of what is stacked.</param>
    public SecondFactor[] Factors(ManagedTensor weights, int columns, int depth, bool isTransposed)
    {
        var factors = new SecondFactor[Experts.Count];
        var kept = isTransposed ? null : weights.PackedFor(_tape);
        for (var expert = 0; expert < factors.Length; expert++)
        {
            if (kept is not null)
            {
                factors[expert] = kept[expert];
                continue;
            }

            var rows = Offsets[expert + 1] - Offsets[expert];
            var data = weights.Data + (long)expert * columns * depth;
            var matrix = new Matrix(data, isTransposed ? depth : columns, isTransposed);
            factors[expert] = SecondFactor.Create(_tape, matrix, columns, depth, rows);
        }

        return factors;
    }

    /// <summary>Packs all panels of the factors that are to be packed.</summary>
    public void Pack(params SecondFactor[][] factors)
    {
        if (!Array.Exists(factors, group => Array.Exists(group, factor => factor.NeedsPacking)))
            return;
        var panels = 0;
        var work = 0L;
        foreach (var group in factors)
        {
            panels += group[0].Panels;
            work += (long)group.Length * group[0].Columns * group[0].Depth;
        }

        _tape.Workers.Run(Experts.Count * panels, work, (item, _) =>
        {
            var panel = item % panels;
            var group = 0;
            while (panel >= factors[group][0].Panels)
                panel -= factors[group++][0].Panels;
            factors[group][item / panels].Pack(panel);
        });
    }

    /// <summary>resultTD[t] = or += Σ over the token's pairs, by ascending expert, of weight·rowsPD[pair].</summary>
    public void Combine(float* rowsPD, float* weightsP, float* resultTD, bool accumulate)
    {
        var kernels = _tape.Kernels;
        var width = Experts.Width;
        var pairs = _tape.Scratch.AllocateIntegers(Pairs);
        var weights = weightsP == null ? null : _tape.Scratch.Allocate(Pairs);
        for (var i = 0; i < Pairs; i++)
        {
            pairs[i] = TokenPairs.Sorted[i];
            if (weights != null)
                weights[i] = weightsP[pairs[i]];
        }

        Blocks.RunRows(_tape, Tokens, width, (first, count) =>
        {
            for (var token = first; token < first + count; token++)
            {
                var start = TokenPairs.Start(token);
                kernels.SumRows(
                    rowsPD,
                    WidthStride,
                    pairs + start,
                    weights == null ? null : weights + start,
                    TokenPairs.Start(token + 1) - start,
                    resultTD + (long)token * width,
                    width,
                    accumulate);
            }
        });
    }
}
