namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Experts where no gradient is wanted: the hidden rows never reach memory. As many columns of them as make a block of k of the second
/// product are computed, then that block; each tile gets bias, activation and gate while it is in the first-level cache, and stands where
/// the second product reads it. Sums are those of <see cref="GroupedExpertsOperation"/>.
/// </summary>
internal readonly unsafe struct FusedExperts : IExpertBody
{
    /// <summary>
    /// Floats of rows, of the input and of a block of hidden columns, that are packed at once: two mebibytes. More than the second-level
    /// cache, so that tiles' rows may come from the third; but an expert's weights, which are larger, are read once for all of them.
    /// </summary>
    private const int PackedFloats = 1 << 19;

    /// <summary>Tiles of rows that are packed at once at least; fewer would read the weights too often.</summary>
    private const int FewestTiles = 10;

    private readonly Kernels _kernels;
    private readonly Matrix _x;
    private readonly ExpertFactors _w1;
    private readonly ExpertFactors _w2;
    private readonly ExpertFactors _gate;
    private readonly bool _hasGate;
    private readonly int _width;
    private readonly int _hidden;
    private readonly float* _b1;
    private readonly float* _b2;
    private readonly Activation _activation;
    private readonly float* _bGate;
    private readonly Activation _gateActivation;
    private readonly float* _outPD;
    private readonly int _outStride;
    private readonly int _mostRows;
    private readonly bool _isStored;
    private readonly bool _isReadInPlace;
    private readonly bool _leavesFewRows;
    private readonly int* _offsets;
    private readonly float* _scratch;
    private readonly long _scratchLength;

    private FusedExperts(ManagedTape tape, float* xTD, in ExpertBatch batch, float* outPD, bool leavesFewRows)
    {
        var experts = batch.Experts;
        _kernels = tape.Kernels;
        (_width, _hidden) = (experts.Width, experts.HiddenWidth);
        _x = new Matrix(xTD, _width, rowNumbers: batch.TokenOfPair);
        (_w1, _w2, _gate) = batch.ForwardFactors();
        _hasGate = experts.Gate is not null;
        _b1 = experts.B1 is null ? null : experts.B1.Data;
        _b2 = experts.B2 is null ? null : experts.B2.Data;
        _activation = experts.Activation;
        _bGate = experts.GateBias is null ? null : experts.GateBias.Data;
        _gateActivation = experts.GateActivation;
        _outPD = outPD;
        _outStride = Gemm.RowStride(_width);
        var tileRows = _kernels.TileRows;
        var wanted = Math.Max(PackedFloats / (_width + Gemm.DepthBlock) / tileRows, FewestTiles) * tileRows;
        _mostRows = Math.Min(wanted, batch.RunRows);
        _isStored = experts.W1.Stored is not null || experts.Gate?.Stored is not null;
        _isReadInPlace = IsReadInPlace(experts.W1) && (experts.Gate is null || IsReadInPlace(experts.Gate));
        _leavesFewRows = leavesFewRows;
        _offsets = batch.Offsets;
        _scratchLength = SpareLength + GateLength + 2 * WidenedLength + PackedRows.Length(_kernels, _mostRows, _width) +
            PackedRows.Length(_kernels, _mostRows, Math.Min(_hidden, Gemm.DepthBlock));
        _scratch = tape.Scratch.Allocate(_scratchLength * tape.Workers.Threads);
    }

    private long SpareLength => Gemm.SpareLength(_kernels, Math.Max(_width, _hidden));

    // A tile; or, of what is read where it lies, a block of all rows.
    private long GateLength => _isReadInPlace
        ? (long)Gemm.MostRowsInPlace(_kernels) * Gemm.DepthBlock
        : (long)_kernels.TileRows * _kernels.TileColumns;

    // A panel of the first product, of which every tile of rows would else convert its own.
    private long WidenedLength => _isStored ? (long)_width * _kernels.TileColumns : 0;

    /// <summary>Writes what each pair's expert makes of its token.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="xTD">Tokens.</param>
    /// <param name="batch">Pairs and weights.</param>
    /// <param name="outPD">Receives the outputs, rows at <see cref="Gemm.RowStride"/>.</param>
    public static void Run(ManagedTape tape, float* xTD, in ExpertBatch batch, float* outPD)
    {
        var leavesFewRows = DottedExperts.Fit(batch.Experts);
        if (!leavesFewRows || !DottedExperts.Run(tape, xTD, batch, outPD))
            batch.Run(new FusedExperts(tape, xTD, batch, outPD, leavesFewRows));
    }

    /// <inheritdoc/>
    public void Run(ExpertRun run, int worker)
    {
        if (_leavesFewRows && FewRowExperts.Has(_offsets[run.Expert + 1] - _offsets[run.Expert]))
            return;
        var scratch = _scratch + worker * _scratchLength;
        var gate = scratch + SpareLength;
        var packed = gate + GateLength + 2 * WidenedLength;
        var parts = new RowParts(_kernels, run.Rows, _mostRows);
        for (var i = 0; i < parts.Count; i++)
        {
            var (first, rows) = parts[i];
            var x = new PackedRows(_kernels, rows, _width, packed);
            var h = packed + PackedRows.Length(_kernels, rows, _width);
            x.Pack(_x, run.First + first);
            var y = _outPD + (long)(run.First + first) * _outStride;
            var addBias = new Epilogue(_b2 == null ? null : _b2 + (long)run.Expert * _width, Activation.None, y);
            for (var column = 0; column < _hidden; column += Gemm.DepthBlock)
            {
                HiddenBlock(run.Expert, x, column, h, gate, scratch);
                var block = new GemmBlock(0, rows, 0, _width);
                Gemm.MultiplyBlock(_kernels, block, h, _w2[run.Expert], column, y, _outStride, column > 0, scratch, addBias);
            }
        }
    }

    // The hidden columns that make a block of k of the second product.
    private void HiddenBlock(int expert, in PackedRows x, int firstColumn, float* h, float* gate, float* scratch)
    {
        if (_isReadInPlace && x.Rows <= Gemm.MostRowsInPlace(_kernels))
        {
            HiddenRows(expert, x, firstColumn, h, gate, scratch);
            return;
        }

        var end = Math.Min(firstColumn + Gemm.DepthBlock, _hidden);
        var widened = gate + GateLength;
        var (w1Factor, gateFactor) = (_w1[expert], _hasGate ? _gate[expert] : default);
        for (var column = firstColumn; column < end; column += _kernels.TileColumns)
        {
            var w1 = PanelOf(w1Factor, column, widened);
            var wGate = _hasGate ? PanelOf(gateFactor, column, widened + WidenedLength) : default;
            for (var row = 0; row < x.Rows; row += _kernels.TileRows)
                HiddenTile(expert, w1, wGate, x, row, column, h + row * PackedRows.Stride + column - firstColumn, gate, scratch);
        }
    }

    private static bool IsReadInPlace(ManagedTensor weights) =>
        weights.Stored is { IsTransposed: false, Type: ElementType.BFloat16 };

    private (SecondFactor Factor, int Panel) PanelOf(in SecondFactor factor, int column, float* widened)
    {
        var panel = column / _kernels.TileColumns;
        return factor.IsStored ? (factor.Widened(panel, widened), 0) : (factor, panel);
    }

    // Few rows with weights in bfloat16, which are gone through row by row: all columns at once.
    private void HiddenRows(int expert, in PackedRows x, int firstColumn, float* h, float* gate, float* scratch)
    {
        var width = Math.Min(Gemm.DepthBlock, _hidden - firstColumn);
        var block = new GemmBlock(0, x.Rows, firstColumn, width);
        Gemm.MultiplyRows(_kernels, x, 0, _w1[expert], block, h - firstColumn, PackedRows.Stride, scratch);
        var bias = _b1 == null ? null : _b1 + (long)expert * _hidden + firstColumn;
        _kernels.AddBiasAndActivate(_activation, h, bias, h, PackedRows.Stride, x.Rows, width);
        if (!_hasGate)
            return;
        Gemm.MultiplyRows(_kernels, x, 0, _gate[expert], block, gate - firstColumn, Gemm.DepthBlock, scratch);
        ActivateGate(expert, gate, firstColumn, Gemm.DepthBlock, x.Rows, width);
        for (var i = 0; i < x.Rows; i++)
            _kernels.Multiply(h + i * PackedRows.Stride, gate + i * Gemm.DepthBlock, h + i * PackedRows.Stride, width);
    }

    private void ActivateGate(int expert, float* gate, int firstColumn, nint stride, int rows, int columns)
    {
        if (_bGate == null && _gateActivation == Activation.None)
            return;
        var bias = _bGate == null ? null : _bGate + (long)expert * _hidden + firstColumn;
        _kernels.AddBiasAndActivate(_gateActivation, gate, bias, gate, stride, rows, columns);
    }

    private void HiddenTile(
        int expert,
        in (SecondFactor Factor, int Panel) w1,
        in (SecondFactor Factor, int Panel) wGate,
        in PackedRows x,
        int row,
        int column,
        float* tile,
        float* gate,
        float* scratch)
    {
        var tileColumns = _kernels.TileColumns;
        var height = Math.Min(_kernels.TileRows, x.Rows - row);
        var width = Math.Min(tileColumns, _hidden - column);
        Gemm.MultiplyTile(_kernels, x, row, w1.Factor, w1.Panel, tile, PackedRows.Stride, scratch);
        var bias = _b1 == null ? null : _b1 + (long)expert * _hidden + column;
        _kernels.AddBiasAndActivate(_activation, tile, bias, tile, PackedRows.Stride, height, width);
        if (!_hasGate)
            return;
        Gemm.MultiplyTile(_kernels, x, row, wGate.Factor, wGate.Panel, gate, tileColumns, scratch);
        ActivateGate(expert, gate, column, tileColumns, height, width);
        for (var i = 0; i < height; i++)
            _kernels.Multiply(tile + i * PackedRows.Stride, gate + i * tileColumns, tile + i * PackedRows.Stride, width);
    }
}
