namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// The experts of a batch that have few rows each, as in decoding. Where their weights in bfloat16 or int8 have the outputs as rows in memory,
/// products read these alone, see <see cref="DotProducts"/>, and are divided among the threads by columns.
/// </summary>
internal readonly unsafe struct FewRowExperts
{
    private readonly Chosen* _chosen;

    /// <summary>Finds the experts.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="batch">All experts' rows.</param>
    public FewRowExperts(ManagedTape tape, in ExpertBatch batch)
    {
        _chosen = (Chosen*)tape.Scratch.AllocateIntegers(Chosen.Integers * (long)batch.Experts.Count);
        (Count, Rows) = (0, 0);
        for (var expert = 0; expert < batch.Experts.Count; expert++)
        {
            var rows = batch.RowsOf(expert);
            if (!Has(rows))
                continue;
            _chosen[Count++] = new Chosen(expert, batch.Offsets[expert], rows, Rows);
            Rows += rows;
        }
    }

    /// <summary>Number of experts.</summary>
    public int Count { get; }

    /// <summary>Rows of all of them.</summary>
    public int Rows { get; }

    /// <summary>An expert.</summary>
    public Chosen this[int number] => _chosen[number];

    /// <summary>Whether an expert with that many rows is one.</summary>
    public static bool Has(int rows) => rows is > 0 and <= DotProducts.MostRows;

    /// <summary>Whether stacked weights are such.</summary>
    public static bool Fit(ManagedTensor weights) => weights.Stored is { IsTransposed: true };

    /// <summary>Where the tokens of the experts' rows lie.</summary>
    public float** TokensOf(ManagedTape tape, in ExpertBatch batch, float* xTD, int width)
    {
        var places = Places(tape);
        for (var number = 0; number < Count; number++)
        {
            var (_, first, rows, firstRow) = this[number];
            for (var i = 0; i < rows; i++)
                places[firstRow + i] = xTD + (long)batch.TokenOfPair[first + i] * width;
        }

        return places;
    }

    /// <summary>Room for the place of each row.</summary>
    public float** Places(ManagedTape tape) => (float**)tape.Scratch.Allocate((long)Rows * sizeof(float*) / sizeof(float));

    /// <summary>Products of the experts' rows with their matrices.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="weights">[E, I, O], for which they <see cref="Fit"/>.</param>
    /// <param name="bias">[E, O]; null for none.</param>
    /// <param name="places">Where each row lies.</param>
    /// <param name="target">Receives the products by pair.</param>
    /// <param name="stride">Distance of its rows.</param>
    public void Multiply(ManagedTape tape, ManagedTensor weights, ManagedTensor? bias, float** places, float* target, int stride)
    {
        var body = new Columns(tape.Kernels, this, weights, bias is null ? null : bias.Data, places, target, stride);
        tape.Workers.Run(Count * body.ItemsOfExpert, DotProducts.Work((long)Count * weights.Shape[1] * weights.Shape[2]), body);
    }

    /// <summary>An expert with few rows.</summary>
    /// <param name="Expert">Its number.</param>
    /// <param name="First">Its first pair.</param>
    /// <param name="Rows">Number of rows.</param>
    /// <param name="FirstRow">Number of the first among the rows of all these experts.</param>
    public readonly record struct Chosen(int Expert, int First, int Rows, int FirstRow)
    {
        /// <summary>Integers that it takes in memory.</summary>
        public const int Integers = 4;
    }

    private readonly struct Columns(
        Kernels kernels, FewRowExperts experts, ManagedTensor weights, float* bias, float** places, float* target, int stride) : ILoopBody
    {
        private readonly int _columns = weights.Shape[2];
        private readonly int _itemColumns = DotProducts.ItemColumns(weights.Shape[1]);

        public int ItemsOfExpert => (_columns + _itemColumns - 1) / _itemColumns;

        public void Run(int item, int worker)
        {
            var (expert, firstPair, rows, firstRow) = experts[item / ItemsOfExpert];
            var first = item % ItemsOfExpert * _itemColumns;
            var count = Math.Min(_itemColumns, _columns - first);
            var y = target + (long)firstPair * stride;
            kernels.MultiplyRows(rows, count, weights.Shape[1], places + firstRow, weights.Matrix(expert), first, y + first, stride, false);
            var addBias = new Epilogue(bias == null ? null : bias + (long)expert * _columns, Activation.None, y);
            addBias.Finish(kernels, new GemmBlock(0, rows, first, count), y, stride);
        }
    }
}
