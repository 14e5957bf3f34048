namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Whole experts with few rows each: all hidden columns of all of them first, then all outputs, both divided among the threads, and only the
/// weights of experts with rows are touched. No gradients.
/// </summary>
internal static unsafe class DottedExperts
{
    /// <summary>Whether experts' weights are such that those with few rows are computed here.</summary>
    public static bool Fit(in ExpertTensors experts) =>
        FewRowExperts.Fit(experts.W1) && FewRowExperts.Fit(experts.W2) && (experts.Gate is null || FewRowExperts.Fit(experts.Gate));

    /// <summary>Writes what the experts with few rows make of their tokens.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="xTD">Tokens.</param>
    /// <param name="batch">Pairs and weights.</param>
    /// <param name="outPD">Receives the outputs, rows at <see cref="Gemm.RowStride"/>.</param>
    /// <returns>Whether no expert with more rows is left.</returns>
    public static bool Run(ManagedTape tape, float* xTD, in ExpertBatch batch, float* outPD)
    {
        var few = new FewRowExperts(tape, batch);
        if (few.Count == 0)
            return batch.Pairs == 0;
        var experts = batch.Experts;
        var (width, hidden) = (experts.Width, experts.HiddenWidth);
        var hiddenPF = tape.Scratch.Allocate((long)few.Rows * hidden);
        var toHidden = new HiddenColumns(tape, few, experts, few.TokensOf(tape, batch, xTD, width), hiddenPF);
        var work = DotProducts.Work((long)few.Count * width * hidden * (experts.Gate is null ? 1 : 2));
        tape.Workers.Run(few.Count * toHidden.ItemsOfExpert, work, toHidden);
        var places = few.Places(tape);
        for (var row = 0; row < few.Rows; row++)
            places[row] = hiddenPF + (long)row * hidden;
        few.Multiply(tape, experts.W2, experts.B2, places, outPD, Gemm.RowStride(width));
        return few.Rows == batch.Pairs;
    }

    private readonly struct HiddenColumns : ILoopBody
    {
        private readonly Kernels _kernels;
        private readonly FewRowExperts _few;
        private readonly ExpertTensors _experts;
        private readonly float** _tokens;
        private readonly float* _hiddenPF;
        private readonly int _hidden;
        private readonly int _itemColumns;
        private readonly float* _gates;
        private readonly float* _b1;
        private readonly float* _bGate;

        public HiddenColumns(ManagedTape tape, in FewRowExperts few, in ExpertTensors experts, float** tokens, float* hiddenPF)
        {
            (_kernels, _few, _experts, _hidden) = (tape.Kernels, few, experts, experts.HiddenWidth);
            _tokens = tokens;
            _hiddenPF = hiddenPF;
            _itemColumns = DotProducts.ItemColumns(experts.Width);
            _gates = experts.Gate is null
                ? null
                : tape.Scratch.Allocate((long)DotProducts.MostRows * _itemColumns * tape.Workers.Threads);
            _b1 = experts.B1 is null ? null : experts.B1.Data;
            _bGate = experts.GateBias is null ? null : experts.GateBias.Data;
        }

        public int ItemsOfExpert => (_hidden + _itemColumns - 1) / _itemColumns;

        public void Run(int item, int worker)
        {
            var (expert, _, rows, firstRow) = _few[item / ItemsOfExpert];
            var first = item % ItemsOfExpert * _itemColumns;
            var count = Math.Min(_itemColumns, _hidden - first);
            var h = _hiddenPF + (long)firstRow * _hidden + first;
            _kernels.MultiplyRows(
                rows, count, _experts.Width, _tokens + firstRow, _experts.W1.Matrix(expert), first, h, _hidden, false);
            Activate(_experts.Activation, _b1, expert, first, h, _hidden, rows, count);
            if (_experts.Gate is null)
                return;
            var gates = _gates + (long)worker * DotProducts.MostRows * _itemColumns;
            _kernels.MultiplyRows(
                rows, count, _experts.Width, _tokens + firstRow, _experts.Gate.Matrix(expert), first, gates, count, false);
            Activate(_experts.GateActivation, _bGate, expert, first, gates, count, rows, count);
            for (var row = 0; row < rows; row++)
                _kernels.Multiply(h + (long)row * _hidden, gates + row * count, h + (long)row * _hidden, count);
        }

        private void Activate(
            Activation activation, float* biases, int expert, int first, float* values, nint stride, int rows, int columns)
        {
            var bias = biases == null ? null : biases + (long)expert * _hidden + first;
            if (bias != null || activation != Activation.None)
                _kernels.AddBiasAndActivate(activation, values, bias, values, stride, rows, columns);
        }
    }
}
