namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// The attention of single heads over single sequences; see <see cref="AttentionOperation"/>. Scores and probabilities stand by key, with
/// queries side by side: their softmax then runs through vectors of queries, and both products with them read them as they are. A bias by
/// distance, in the order of falling distance, is then a run of neighbours for each key.
/// </summary>
internal readonly unsafe struct AttentionHeads
{
    /// <summary>Queries of which the backward pass holds gradients of scores at once; bounds its memory for long sequences.</summary>
    private const int QueryBlock = 128;

    private readonly Kernels _kernels;
    private readonly AttentionForm _form;
    private readonly SequenceLayout _queries;
    private readonly SequenceLayout? _keys;
    private readonly uint _key;
    private readonly int _mostQueries;
    private readonly int _mostKeys;
    private readonly int* _firstKeys;
    private readonly int* _keyCounts;
    private readonly long* _firstScores;
    private readonly long* _probabilityOffsets;

    /// <summary>Prepares the heads of keys that stand packed.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="memory">Holds where each sequence's keys and probabilities lie.</param>
    /// <param name="form">Widths and rules.</param>
    /// <param name="queries">Sequences of the queries.</param>
    /// <param name="keys">Sequences of the keys.</param>
    public AttentionHeads(ManagedTape tape, Arena memory, in AttentionForm form, SequenceLayout queries, SequenceLayout keys)
        : this(tape, memory, form, queries)
    {
        _keys = keys;
        for (var sequence = 0; sequence < Sequences; sequence++)
        {
            _firstKeys[sequence] = keys.Offsets[sequence];
            _keyCounts[sequence] = keys.Offsets[sequence + 1] - keys.Offsets[sequence];
        }

        _mostKeys = keys.MaxLength;
        CountScores();
    }

    /// <summary>Prepares the heads of keys in a cache, the new ones included.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="memory">Holds where each sequence's keys lie.</param>
    /// <param name="form">Widths and rules.</param>
    /// <param name="queries">Sequences of the queries.</param>
    /// <param name="cache">The cache.</param>
    public AttentionHeads(ManagedTape tape, Arena memory, in AttentionForm form, SequenceLayout queries, KeyValueCache cache)
        : this(tape, memory, form, queries)
    {
        for (var sequence = 0; sequence < Sequences; sequence++)
        {
            _firstKeys[sequence] = sequence * cache.Capacity;
            _keyCounts[sequence] = cache.Lengths[sequence];
            _mostKeys = Math.Max(_mostKeys, _keyCounts[sequence]);
        }

        CountScores();
    }

    private AttentionHeads(ManagedTape tape, Arena memory, in AttentionForm form, SequenceLayout queries)
    {
        _kernels = tape.Kernels;
        _form = form;
        _queries = queries;
        _key = form.Dropout > 0f ? tape.NextRandomKey() : 0;
        _mostQueries = queries.MaxLength;
        _firstKeys = memory.AllocateIntegers(Sequences);
        _keyCounts = memory.AllocateIntegers(Sequences);
        _firstScores = (long*)memory.Allocate(4L * (Sequences + 1));
        _probabilityOffsets = _firstScores + Sequences + 1;
    }

    public int Sequences => _queries.Sequences;

    /// <summary>Items of work: heads of keys and values of all sequences.</summary>
    public int Items => Sequences * _form.KeyValueHeads;

    public AttentionForm Form => _form;

    /// <summary>Floats that the probabilities of all heads take, and the rows that a product reads beyond them.</summary>
    public long ProbabilitiesLength => _probabilityOffsets[Sequences] + (long)_kernels.RowMultiple * ProbabilityStride(_mostQueries);

    /// <summary>Multiply–adds of a forward pass.</summary>
    public long MultiplyAdds => _firstScores[Sequences] * (_form.HeadWidth + _form.ValueWidth);

    /// <summary>Floats that a worker needs for <see cref="Forward"/>: keys, values, some queries, two of their scores.</summary>
    public long ForwardScratchLength =>
        Padded(_mostKeys, _form.HeadWidth) + Padded(_mostKeys, _form.ValueWidth)
        + (_form.HeadWidth + 2L * Rows(_mostKeys)) * _kernels.TileColumns;

    /// <summary>Floats that a worker needs for <see cref="Backward"/>.</summary>
    public long BackwardScratchLength =>
        Padded(_mostKeys, _form.HeadWidth) + Padded(_mostKeys, _form.ValueWidth)
        + Padded(_mostQueries, _form.HeadWidth) + Padded(_mostQueries, _form.ValueWidth)
        + (_form.ValueWidth + 2L * Rows(_mostKeys)) * QueryBlock;

    private int HeadsOfItem => _form.Heads / _form.KeyValueHeads;

    /// <summary>Computes the columns of an item's heads of one sequence's rows of the result.</summary>
    /// <param name="item">Number of the item.</param>
    /// <param name="rows">Queries, keys and values.</param>
    /// <param name="bias">What is added to the scores.</param>
    /// <param name="sinks">Score of a key without value, by head; null for none.</param>
    /// <param name="y">The result, [T, H·V].</param>
    /// <param name="probabilities">Keeps the probabilities for <see cref="Backward"/>; null where there is none.</param>
    /// <param name="scratch"><see cref="ForwardScratchLength"/> floats.</param>
    public void Forward(
        int item, in AttentionRows rows, in DistanceBias bias, float* sinks, float* y, float* probabilities, float* scratch)
    {
        var (sequence, shared) = (item / _form.KeyValueHeads, item % _form.KeyValueHeads);
        var (count, width) = (_keyCounts[sequence], (nint)_form.Heads * _form.ValueWidth);
        var k = rows.Keys + _firstKeys[sequence] * rows.KeyStride + shared * _form.HeadWidth;
        var v = rows.Values + _firstKeys[sequence] * rows.ValueStride + shared * _form.ValueWidth;
        var keys = PaddedRows(k, rows.KeyStride, count, _form.HeadWidth, ref scratch);
        var values = WholeVectors(v, rows.ValueStride, count, _form.ValueWidth, ref scratch, out var valueStride);
        for (var head = shared * HeadsOfItem; head < (shared + 1) * HeadsOfItem; head++)
        {
            var start = _queries.Offsets[sequence];
            var q = new Matrix(rows.Queries + start * rows.QueryStride + head * _form.HeadWidth, rows.QueryStride);
            var output = y + start * width + head * _form.ValueWidth;
            // with the scale, by which the scores are still to be multiplied
            var sink = sinks == null ? float.NegativeInfinity : sinks[head] / _form.Scale;
            ForwardHead(sequence, head, q, keys, values, valueStride, bias, sink, output, width, probabilities, scratch);
        }
    }

    /// <summary>Computes the columns of an item's heads of one sequence's rows of the gradients.</summary>
    /// <param name="item">Number of the item.</param>
    /// <param name="rows">Queries, keys and values.</param>
    /// <param name="probabilities">What <see cref="Forward"/> has kept.</param>
    /// <param name="dY">Gradient of the result.</param>
    /// <param name="gradients">Receive the gradients; null for none.</param>
    /// <param name="addsTo">Whether to add to those of queries, of keys and of values.</param>
    /// <param name="dBias">Receives the bias's gradient by item and head.</param>
    /// <param name="dSinks">Receives the sinks' gradients by sequence and head; null for none.</param>
    /// <param name="scratch"><see cref="BackwardScratchLength"/> floats.</param>
    public void Backward(
        int item,
        in AttentionRows rows,
        float* probabilities,
        float* dY,
        in AttentionRows gradients,
        (bool Queries, bool Keys, bool Values) addsTo,
        in DistanceBias dBias,
        float* dSinks,
        float* scratch)
    {
        var (sequence, shared) = (item / _form.KeyValueHeads, item % _form.KeyValueHeads);
        var (start, firstKey, count, width) = (
            _queries.Offsets[sequence], _firstKeys[sequence], _keyCounts[sequence], (nint)_form.Heads * _form.ValueWidth);
        var v = rows.Values + firstKey * rows.ValueStride + shared * _form.ValueWidth;
        var k = rows.Keys + firstKey * rows.KeyStride + shared * _form.HeadWidth;
        var dK = gradients.Keys == null ? null : gradients.Keys + firstKey * gradients.KeyStride + shared * _form.HeadWidth;
        var dV = gradients.Values == null ? null : gradients.Values + firstKey * gradients.ValueStride + shared * _form.ValueWidth;
        if (!_form.SeesAll || QueryCount(sequence) == 0)
        {
            // Not every block of queries reaches every key.
            if (dK != null && !addsTo.Keys)
                ClearRows(dK, gradients.KeyStride, count, _form.HeadWidth);
            if (dV != null && !addsTo.Values)
                ClearRows(dV, gradients.ValueStride, count, _form.ValueWidth);
            addsTo = (addsTo.Queries, true, true);
        }

        var values = PaddedRows(v, rows.ValueStride, count, _form.ValueWidth, ref scratch);
        var keys = WholeVectors(k, rows.KeyStride, count, _form.HeadWidth, ref scratch, out var keyStride);
        for (var head = shared * HeadsOfItem; head < (shared + 1) * HeadsOfItem; head++)
        {
            var ofHead = new HeadGradient
            {
                Queries = rows.Queries + start * rows.QueryStride + head * _form.HeadWidth,
                QueryStride = rows.QueryStride,
                DOutput = dY + start * width + head * _form.ValueWidth,
                OutputStride = width,
                DQueries = gradients.Queries == null
                    ? null
                    : gradients.Queries + start * gradients.QueryStride + head * _form.HeadWidth,
                DQueryStride = gradients.QueryStride,
                DKeys = dK,
                DKeyStride = gradients.KeyStride,
                DValues = dV,
                DValueStride = gradients.ValueStride,
                AddsTo = addsTo,
            };
            var dSink = dSinks == null ? null : dSinks + (long)sequence * _form.Heads + head;
            BackwardHead(sequence, head, values, keys, keyStride, ofHead, probabilities, dBias, dSink, scratch);
            addsTo = (addsTo.Queries, true, true);
        }
    }

    private void ForwardHead(
        int sequence,
        int head,
        in Matrix q,
        in Matrix keys,
        float* values,
        nint valueStride,
        in DistanceBias bias,
        float sink,
        float* output,
        nint outputStride,
        float* probabilities,
        float* scratch)
    {
        var length = QueryCount(sequence);
        var queries = Take(ref scratch, (long)_form.HeadWidth * _kernels.TileColumns);
        var kept = Take(ref scratch, (long)_keyCounts[sequence] * _kernels.TileColumns);
        for (var first = 0; first < length; first += _kernels.TileColumns)
        {
            var count = Math.Min(_kernels.TileColumns, length - first);
            var columns = Columns(count);
            var (firstKey, keyCount) = Seen(sequence, first, count);
            var aStride = probabilities == null ? columns : (nint)ProbabilityStride(length);
            var a = scratch;
            if (probabilities != null)
            {
                a = probabilities + ProbabilityOffset(sequence, head) + first + firstKey * aStride;
                ClearUnseen(sequence, first, columns, firstKey, keyCount, a, aStride);
            }

            Packing.PackRows(q, first, count, 0, _form.HeadWidth, columns, queries);
            var seenKeys = new Matrix(keys.Row(firstKey), keys.Stride);
            _kernels.MultiplyUnpacked(keyCount, columns, _form.HeadWidth, seenKeys, queries, columns, a, aStride, false);
            if (bias.Values != null)
                AddBias(sequence, head, bias, first, count, firstKey, keyCount, a, aStride);
            FillHidden(sequence, first, count, firstKey, keyCount, float.NegativeInfinity, a, aStride, columns);
            _kernels.SoftmaxColumns(_form.Scale, a, aStride, keyCount, count, sink);
            FillHidden(sequence, first, count, firstKey, keyCount, 0f, a, aStride, columns);
            if (_form.Dropout > 0f)
            {
                Drop(sequence, head, first, count, keyCount, a, aStride, kept, columns);
                a = kept;
                aStride = columns;
            }

            var used = new Matrix(a, aStride, isTransposed: true);
            var seenValues = values + firstKey * valueStride;
            var target = output + first * outputStride;
            _kernels.MultiplyUnpacked(count, _form.ValueWidth, keyCount, used, seenValues, valueStride, target, outputStride, false);
        }
    }

    private void BackwardHead(
        int sequence,
        int head,
        in Matrix values,
        float* keys,
        nint keyStride,
        HeadGradient of,
        float* probabilities,
        in DistanceBias dBias,
        float* dSink,
        float* scratch)
    {
        if (dSink != null)
            *dSink = 0f;
        var length = QueryCount(sequence);
        var queries = WholeVectors(of.Queries, of.QueryStride, length, _form.HeadWidth, ref scratch, out var queryStride);
        var outputs = WholeVectors(of.DOutput, of.OutputStride, length, _form.ValueWidth, ref scratch, out var outputStride);
        var outputsTransposed = Take(ref scratch, (long)_form.ValueWidth * QueryBlock);
        var kept = Take(ref scratch, (long)Rows(_keyCounts[sequence]) * QueryBlock);
        var dS = scratch;
        for (var first = 0; first < length; first += QueryBlock)
        {
            var count = Math.Min(QueryBlock, length - first);
            var columns = Columns(count);
            var (firstKey, keyCount) = Seen(sequence, first, count);
            var aStride = ProbabilityStride(length);
            var a = probabilities + ProbabilityOffset(sequence, head) + first + (long)firstKey * aStride;
            Packing.PackRows(new Matrix(of.DOutput, of.OutputStride), first, count, 0, _form.ValueWidth, columns, outputsTransposed);
            var seenValues = new Matrix(values.Row(firstKey), values.Stride);
            _kernels.MultiplyUnpacked(keyCount, columns, _form.ValueWidth, seenValues, outputsTransposed, columns, dS, columns, false);
            _kernels.SoftmaxColumnsBackward(
                _form.Scale, a, aStride, dS, columns, 1f / (1f - _form.Dropout), _form.Dropout > 0f ? kept : null, keyCount, count);
            if (dBias.Values != null)
                AddBiasGradient(sequence, head, dBias, first, count, firstKey, keyCount, dS, columns);

            // what the softmax takes from all scores together it has given to the sink
            for (var row = 0; dSink != null && row < keyCount; row++)
                *dSink -= _kernels.Sum(dS + (nint)row * columns, count) / _form.Scale;

            if (of.DValues != null)
            {
                var used = _form.Dropout > 0f ? new Matrix(kept, columns) : new Matrix(a, aStride);
                var target = of.DValues + firstKey * of.DValueStride;
                var second = outputs + first * outputStride;
                _kernels.MultiplyUnpacked(
                    keyCount, _form.ValueWidth, count, used, second, outputStride, target, of.DValueStride, of.AddsTo.Values || first > 0);
            }

            if (of.DKeys != null)
            {
                var ofKeys = new Matrix(dS, columns);
                var target = of.DKeys + firstKey * of.DKeyStride;
                var second = queries + first * queryStride;
                _kernels.MultiplyUnpacked(
                    keyCount, _form.HeadWidth, count, ofKeys, second, queryStride, target, of.DKeyStride, of.AddsTo.Keys || first > 0);
            }

            if (of.DQueries != null)
            {
                var ofQueries = new Matrix(dS, columns, isTransposed: true);
                var target = of.DQueries + first * of.DQueryStride;
                var second = keys + firstKey * keyStride;
                _kernels.MultiplyUnpacked(
                    count, _form.HeadWidth, keyCount, ofQueries, second, keyStride, target, of.DQueryStride, of.AddsTo.Queries);
            }
        }
    }

    private void CountScores()
    {
        _firstScores[0] = _probabilityOffsets[0] = 0;
        for (var sequence = 0; sequence < Sequences; sequence++)
        {
            var (queries, keys) = (QueryCount(sequence), _keyCounts[sequence]);
            _firstScores[sequence + 1] = _firstScores[sequence] + (long)_form.Heads * queries * keys;
            _probabilityOffsets[sequence + 1] = _probabilityOffsets[sequence] + _form.Heads * ProbabilitiesOfHead(sequence);
        }
    }

    private int QueryCount(int sequence) => _queries.Offsets[sequence + 1] - _queries.Offsets[sequence];

    // Position of query 0 among the keys.
    private int Shift(int sequence) => _keyCounts[sequence] - QueryCount(sequence);

    /// <summary>The keys that any of some queries sees: the first and their number.</summary>
    private (int First, int Count) Seen(int sequence, int first, int count)
    {
        var keys = _keyCounts[sequence];
        if (_form.SeesAll)
            return (0, keys);
        var firstPosition = first + Shift(sequence);
        var lastPosition = firstPosition + count - 1;
        var start = Math.Max(0, firstPosition - _form.Window + 1);
        var end = Math.Min(keys, lastPosition + (_form.IsCausal ? 1 : _form.Window));
        return start < end ? (start, end - start) : (0, 0);
    }

    /// <summary>The queries, of some, that see a key: from the first to before the last.</summary>
    private (int From, int To) Seeing(int sequence, int key, int first, int count)
    {
        if (_form.SeesAll)
            return (0, count);
        // numbers within the block of the query at the key's position
        var same = key - Shift(sequence) - first;
        var from = Math.Clamp(_form.IsCausal ? same : same - _form.Window + 1, 0, count);
        var to = Math.Clamp((long)same + _form.Window, from, count);
        return (from, (int)to);
    }

    private int Rows(int length) => RoundUp(length, _kernels.RowMultiple);

    private int Columns(int width) => RoundUp(width, _kernels.TileColumns / 2);

    private static int RoundUp(int number, int multiple) => (number + multiple - 1) / multiple * multiple;

    private long Padded(int length, int width) => (long)Rows(length) * Columns(width);

    private int ProbabilityStride(int queries) => Gemm.RowStride(Columns(queries));

    private long ProbabilitiesOfHead(int sequence) => (long)Rows(_keyCounts[sequence]) * ProbabilityStride(QueryCount(sequence));

    private long ProbabilityOffset(int sequence, int head) => _probabilityOffsets[sequence] + head * ProbabilitiesOfHead(sequence);

    private static float* Take(ref float* scratch, long length)
    {
        var taken = scratch;
        scratch += length;
        return taken;
    }

    // A copy, since a product reads a few rows too many of its first factor.
    private Matrix PaddedRows(float* source, nint stride, int length, int width, ref float* scratch)
    {
        var rows = Take(ref scratch, Padded(length, width));
        Packing.PackColumns(new Matrix(source, stride), 0, width, 0, length, Columns(width), rows);
        return new Matrix(rows, Columns(width));
    }

    // A second factor is read in whole vectors. A head whose rows are none has to be copied.
    private float* WholeVectors(float* source, nint stride, int length, int width, ref float* scratch, out nint copiedStride)
    {
        copiedStride = stride;
        if (Columns(width) == width)
            return source;
        var rows = PaddedRows(source, stride, length, width, ref scratch);
        copiedStride = rows.Stride;
        return rows.Row(0);
    }

    private static void ClearRows(float* target, nint stride, int rows, int width)
    {
        for (var row = 0; row < rows; row++)
            new Span<float>(target + row * stride, width).Clear();
    }

    // The backward pass takes more queries at once, and of these reads all keys that any of them sees.
    private void ClearUnseen(int sequence, int first, int columns, int firstKey, int keyCount, float* a, nint stride)
    {
        if (_form.SeesAll)
            return;
        var block = first / QueryBlock * QueryBlock;
        var (blockKey, blockCount) = Seen(sequence, block, Math.Min(QueryBlock, QueryCount(sequence) - block));
        for (var key = blockKey; key < blockKey + blockCount; key++)
        {
            if (key < firstKey || key >= firstKey + keyCount)
                new Span<float>(a + (key - firstKey) * stride, columns).Clear();
        }
    }

    private void AddBias(
        int sequence, int head, in DistanceBias bias, int first, int count, int firstKey, int keyCount, float* a, nint stride)
    {
        for (var row = 0; row < keyCount; row++)
        {
            var (from, to) = Seeing(sequence, firstKey + row, first, count);
            var scores = a + row * stride + from;
            _kernels.Add(scores, bias.Run(head, firstKey + row - Shift(sequence) - first - from), scores, to - from);
        }
    }

    private void AddBiasGradient(
        int sequence, int head, in DistanceBias dBias, int first, int count, int firstKey, int keyCount, float* dS, nint stride)
    {
        for (var row = 0; row < keyCount; row++)
        {
            var (from, to) = Seeing(sequence, firstKey + row, first, count);
            var target = dBias.Run(sequence * _form.Heads + head, firstKey + row - Shift(sequence) - first - from);
            _kernels.AddScaled(1f / _form.Scale, dS + row * stride + from, target, to - from);
        }
    }

    private void FillHidden(
        int sequence, int first, int count, int firstKey, int keyCount, float value, float* a, nint stride, int columns)
    {
        var hasMask = _keys is { Mask.IsEmpty: false };
        if (!hasMask && _form.SeesAll)
            return;
        for (var row = 0; row < keyCount; row++)
        {
            var scores = a + row * stride;
            if (hasMask && !_keys!.IsToken(_firstKeys[sequence] + firstKey + row))
            {
                new Span<float>(scores, columns).Fill(value);
                continue;
            }

            var (from, to) = Seeing(sequence, firstKey + row, first, count);
            new Span<float>(scores, from).Fill(value);
            new Span<float>(scores + to, count - to).Fill(value);
        }
    }

    private void Drop(
        int sequence, int head, int firstQuery, int count, int keyCount, float* a, nint stride, float* kept, nint keptStride)
    {
        var place = _firstScores[sequence] + ((long)head * QueryCount(sequence) + firstQuery) * _keyCounts[sequence];
        _kernels.DropColumns(
            1f / (1f - _form.Dropout),
            a,
            stride,
            kept,
            keptStride,
            keyCount,
            count,
            (uint)place,
            _key,
            RandomBits.Threshold(_form.Dropout));
    }

    /// <summary>Where the gradients of one head come from and go to.</summary>
    private readonly struct HeadGradient
    {
        public required float* Queries { get; init; }

        public required nint QueryStride { get; init; }

        public required float* DOutput { get; init; }

        public required nint OutputStride { get; init; }

        public required float* DQueries { get; init; }

        public required nint DQueryStride { get; init; }

        public required float* DKeys { get; init; }

        public required nint DKeyStride { get; init; }

        public required float* DValues { get; init; }

        public required nint DValueStride { get; init; }

        public required (bool Queries, bool Keys, bool Values) AddsTo { get; init; }
    }
}
