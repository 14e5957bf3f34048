namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Experts with few rows each, as decoding has them, whose weights in bfloat16 or int8 have their outputs as rows in memory: all hidden
/// columns of all of them first, then all outputs, both divided among the threads, and only the weights of experts with rows are touched.
/// No gradients.
/// </summary>
internal readonly unsafe struct DottedExperts
{
    private readonly Kernels _kernels;
    private readonly ExpertTensors _experts;
    private readonly Chosen* _chosen;
    private readonly float** _tokens;
    private readonly float* _hiddenPF;
    private readonly float** _hidden;
    private readonly float* _outPD;
    private readonly int _outStride;
    private readonly float* _b1;
    private readonly float* _b2;
    private readonly float* _bGate;

    private DottedExperts(ManagedTape tape, float* xTD, in ExpertBatch batch, float* outPD, int chosen, int rows)
    {
        var scratch = tape.Scratch;
        _kernels = tape.Kernels;
        _experts = batch.Experts;
        _chosen = (Chosen*)scratch.AllocateIntegers(Chosen.Integers * (long)chosen);
        _tokens = (float**)scratch.Allocate((long)rows * sizeof(float*) / sizeof(float));
        _hidden = (float**)scratch.Allocate((long)rows * sizeof(float*) / sizeof(float));
        _hiddenPF = scratch.Allocate((long)rows * _experts.HiddenWidth);
        _outPD = outPD;
        _outStride = Gemm.RowStride(_experts.Width);
        _b1 = _experts.B1 is null ? null : _experts.B1.Data;
        _b2 = _experts.B2 is null ? null : _experts.B2.Data;
        _bGate = _experts.GateBias is null ? null : _experts.GateBias.Data;
        var (number, row) = (0, 0);
        for (var expert = 0; expert < _experts.Count; expert++)
        {
            var (first, count) = (batch.Offsets[expert], batch.RowsOf(expert));
            if (!Has(count))
                continue;
            _chosen[number++] = new Chosen(expert, first, count, row);
            for (var i = 0; i < count; i++, row++)
            {
                _tokens[row] = xTD + (long)batch.TokenOfPair[first + i] * _experts.Width;
                _hidden[row] = _hiddenPF + (long)row * _experts.HiddenWidth;
            }
        }
    }

    /// <summary>Whether experts' weights are such.</summary>
    public static bool Fit(in ExpertTensors experts) =>
        IsDotted(experts.W1) && IsDotted(experts.W2) && (experts.Gate is null || IsDotted(experts.Gate));

    /// <summary>Whether an expert with that many rows is computed here.</summary>
    public static bool Has(int rows) => rows is > 0 and <= DotProducts.MostRows;

    /// <summary>Writes what the experts with few rows make of their tokens.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="xTD">Tokens.</param>
    /// <param name="batch">Pairs and weights.</param>
    /// <param name="outPD">Receives the outputs, rows at <see cref="Gemm.RowStride"/>.</param>
    /// <returns>Whether no expert with more rows is left.</returns>
    public static bool Run(ManagedTape tape, float* xTD, in ExpertBatch batch, float* outPD)
    {
        var (chosen, rows) = (0, 0);
        for (var expert = 0; expert < batch.Experts.Count; expert++)
        {
            if (Has(batch.RowsOf(expert)))
                (chosen, rows) = (chosen + 1, rows + batch.RowsOf(expert));
        }

        if (chosen == 0)
            return batch.Pairs == 0;
        var (width, hidden) = (batch.Experts.Width, batch.Experts.HiddenWidth);
        var body = new DottedExperts(tape, xTD, batch, outPD, chosen, rows);
        var work = DotProducts.Work((long)chosen * width * hidden);
        var toHidden = new HiddenColumns(tape, body, hidden, DotProducts.ItemColumns(width));
        tape.Workers.Run(chosen * toHidden.ItemsOfExpert, batch.Experts.Gate is null ? work : 2 * work, toHidden);
        var toOutput = new OutputColumns(body, width, DotProducts.ItemColumns(hidden));
        tape.Workers.Run(chosen * toOutput.ItemsOfExpert, work, toOutput);
        return rows == batch.Pairs;
    }

    private static bool IsDotted(ManagedTensor weights) => weights.Stored is { IsTransposed: true };

    /// <summary>An expert with few rows.</summary>
    private readonly record struct Chosen(int Expert, int First, int Rows, int FirstRow)
    {
        public const int Integers = 4;
    }

    private readonly struct HiddenColumns : ILoopBody
    {
        private readonly DottedExperts _all;
        private readonly int _hidden;
        private readonly int _itemColumns;
        private readonly float* _gates;

        public HiddenColumns(ManagedTape tape, in DottedExperts all, int hidden, int itemColumns)
        {
            (_all, _hidden, _itemColumns) = (all, hidden, itemColumns);
            _gates = all._experts.Gate is null ? null : tape.Scratch.Allocate((long)DotProducts.MostRows * itemColumns * tape.Workers.Threads);
        }

        public int ItemsOfExpert => (_hidden + _itemColumns - 1) / _itemColumns;

        public void Run(int item, int worker)
        {
            var (expert, _, rows, firstRow) = _all._chosen[item / ItemsOfExpert];
            var first = item % ItemsOfExpert * _itemColumns;
            var count = Math.Min(_itemColumns, _hidden - first);
            var (kernels, experts) = (_all._kernels, _all._experts);
            var h = _all._hiddenPF + (long)firstRow * _hidden + first;
            kernels.MultiplyRows(rows, count, experts.Width, _all._tokens + firstRow, experts.W1.Matrix(expert), first, h, _hidden, false);
            var bias = _all._b1 == null ? null : _all._b1 + (long)expert * _hidden + first;
            kernels.AddBiasAndActivate(experts.Activation, h, bias, h, _hidden, rows, count);
            if (experts.Gate is null)
                return;
            var gates = _gates + (long)worker * DotProducts.MostRows * _itemColumns;
            kernels.MultiplyRows(rows, count, experts.Width, _all._tokens + firstRow, experts.Gate.Matrix(expert), first, gates, count, false);
            if (_all._bGate != null || experts.GateActivation != Activation.None)
            {
                var gateBias = _all._bGate == null ? null : _all._bGate + (long)expert * _hidden + first;
                kernels.AddBiasAndActivate(experts.GateActivation, gates, gateBias, gates, count, rows, count);
            }

            for (var row = 0; row < rows; row++)
                kernels.Multiply(h + (long)row * _hidden, gates + row * count, h + (long)row * _hidden, count);
        }
    }

    private readonly struct OutputColumns(DottedExperts all, int width, int itemColumns) : ILoopBody
    {
        public int ItemsOfExpert => (width + itemColumns - 1) / itemColumns;

        public void Run(int item, int worker)
        {
            var (expert, firstPair, rows, firstRow) = all._chosen[item / ItemsOfExpert];
            var first = item % ItemsOfExpert * itemColumns;
            var count = Math.Min(itemColumns, width - first);
            var (kernels, experts) = (all._kernels, all._experts);
            var y = all._outPD + (long)firstPair * all._outStride;
            var w2 = experts.W2.Matrix(expert);
            kernels.MultiplyRows(rows, count, experts.HiddenWidth, all._hidden + firstRow, w2, first, y + first, all._outStride, false);
            var addBias = new Epilogue(all._b2 == null ? null : all._b2 + (long)expert * width, Activation.None, y);
            addBias.Finish(kernels, new GemmBlock(0, rows, first, count), y, all._outStride);
        }
    }
}
