using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Encodes rows of features.</summary>
/// <param name="config">What the slots are.</param>
/// <param name="places">Where each slot's encoding is.</param>
/// <param name="indicators">Columns that rows for training have as bags.</param>
/// <param name="keepsLayouts">See <see cref="Packing"/>.</param>
internal sealed class FeatureBatchPacker(FeatureInputConfig config, SlotPlaces places, IndicatorColumns indicators, bool keepsLayouts) : Packer<FeatureRow>
{
    private static readonly int[] NoBags = [0];

    private readonly FeatureBatch _batch = new();
    private readonly SequenceLayout _layout = new();
    private readonly List<int> _tableIndices = [];
    private readonly List<float> _tableWeights = [];
    private readonly List<(int Column, float Value)> _ofRow = [];
    private int _capacity;
    private float[] _direct = [];
    private int[] _members = [];
    private int[] _rowOfTokens = [];
    private int[] _lengths = [];
    private int[] _offsets = [];
    private int[] _affine = [];
    private float[] _affineWeights = [];
    private int[] _edges = [];
    private float[] _edgeWeights = [];
    private int[] _tableOffsets = [];
    private float[] _others = [];
    private int[] _indicatorOffsets = [];
    private int[] _indicatorIndices = [];
    private float[] _indicatorWeights = [];

    /// <inheritdoc/>
    public override FeatureBatch Pack(IReadOnlyList<FeatureRow> rows, Random? random = null, bool withNoise = false)
    {
        var seed = withNoise && random is not null ? (ulong)random.NextInt64() : 0;
        Reserve(rows.Count);
        _tableIndices.Clear();
        _tableWeights.Clear();
        for (var row = 0; row < rows.Count; row++)
        {
            Pack(rows[row], row);
            _tableOffsets[row + 1] = _tableIndices.Count;
        }

        var layout = keepsLayouts ? new SequenceLayout() : _layout;
        layout.Reset(_lengths.AsSpan(0, rows.Count), padded: 0);
        _batch.Seed = seed;
        var numbers = config.EmbeddingWidth == 0 ? 0 : rows.Count * config.Numbers.Length;
        _batch.Affine.Reset(_offsets.AsMemory(0, numbers + 1), _affine.AsMemory(0, 2 * numbers), _affineWeights.AsMemory(0, 2 * numbers));
        _batch.Edges.Reset(_offsets.AsMemory(0, numbers + 1), _edges.AsMemory(0, 2 * numbers), _edgeWeights.AsMemory(0, 2 * numbers));
        if (config.TableSlots.Length > 0)
            _batch.Table.Reset(_tableOffsets.AsMemory(0, rows.Count + 1), _tableIndices.ToArray(), _tableWeights.ToArray());
        var hasIndicators = withNoise && indicators.Columns.Length > 0;
        if (hasIndicators)
            PackIndicators(rows.Count);
        else
            _batch.Indicators.Reset(NoBags, default, default);
        var tokens = rows.Count * config.Members;
        return _batch.Reset(
            rows.Count,
            layout,
            hasIndicators ? _others.AsMemory(0, rows.Count * indicators.Others.Length) : _direct.AsMemory(0, rows.Count * config.DirectColumns),
            _members.AsMemory(0, tokens),
            _rowOfTokens.AsMemory(0, tokens));
    }

    private void Pack(FeatureRow features, int row)
    {
        if (features.Slots != config.Slots)
            throw new ArgumentException($"A row has {features.Slots} slots; the model reads {config.Slots}.", nameof(features));
        var zeros = places.DirectOfZeros;
        var direct = _direct.AsSpan(row * zeros.Length, zeros.Length);
        zeros.CopyTo(direct);
        if (features.IsSparse && config.EmbeddingWidth > 0)
            for (var number = 0; number < config.Numbers.Length; number++)
                PackNumber(direct, row, number, 0f);
        var values = features.Values;
        var indices = features.Indices;
        for (var i = 0; i < values.Length; i++)
        {
            var slot = features.IsSparse ? indices[i] : i;
            var (kind, place) = places.Of(slot);
            var value = values[i];
            switch (kind)
            {
                case SlotKind.Number:
                    PackNumber(direct, row, place, value);
                    break;
                case SlotKind.Binary:
                    direct[places.FirstBinary + place] = config.Binaries[place].Scale(value);
                    break;
                case SlotKind.Category:
                    var category = config.Categories[place];
                    var columns = direct.Slice(places.FirstOfCategory(place), category.Values.Length);
                    columns.Clear();
                    if (category.ColumnOf(value) is >= 0 and var column)
                        columns[column] = 1f;
                    break;
                case SlotKind.Table when value != 0f && float.IsFinite(value):
                    _tableIndices.Add(place);
                    _tableWeights.Add(Math.Clamp(value * config.TableSlots[place].Scale, -1f, 1f));
                    break;
            }

            if (float.IsNaN(value) && places.MissingOf(slot) is var missing and >= 0)
                direct[places.FirstMissing + missing] = 1f;
        }
    }

    /// <summary>Takes the indicators out of the direct columns.</summary>
    private void PackIndicators(int rows)
    {
        var (columns, others, direct) = (indicators.Columns, indicators.Others, config.DirectColumns);
        var entries = 0;
        for (var row = 0; row < rows; row++)
        {
            var values = _direct.AsSpan(row * direct, direct);
            for (var i = 0; i < others.Length; i++)
                _others[row * others.Length + i] = values[others[i]];
            _ofRow.Clear();
            for (var i = 0; i < columns.Length; i++)
                if (values[columns[i]] != 0f)
                    _ofRow.Add((config.EmbeddedColumns + columns[i], values[columns[i]]));
            if (_indicatorIndices.Length < entries + _ofRow.Count * config.Members)
            {
                Array.Resize(ref _indicatorIndices, 2 * (entries + _ofRow.Count * config.Members));
                Array.Resize(ref _indicatorWeights, _indicatorIndices.Length);
            }

            for (var member = 0; member < config.Members; member++)
            {
                foreach (var (column, value) in _ofRow)
                    (_indicatorIndices[entries], _indicatorWeights[entries++]) = (column, value);
                _indicatorOffsets[row * config.Members + member + 1] = entries;
            }
        }

        _batch.Indicators.Reset(
            _indicatorOffsets.AsMemory(0, rows * config.Members + 1), _indicatorIndices.AsMemory(0, entries), _indicatorWeights.AsMemory(0, entries));
    }

    private void PackNumber(Span<float> direct, int row, int number, float value)
    {
        var slot = config.Numbers[number];
        value = slot.Complete(value);
        if (config.EmbeddingWidth == 0)
        {
            direct[number] = slot.Scale(value);
            return;
        }

        var entry = 2 * (row * config.Numbers.Length + number);
        (_affine[entry], _affine[entry + 1]) = (number, config.Numbers.Length + number);
        (_affineWeights[entry], _affineWeights[entry + 1]) = (slot.Scale(value), 1f);
        if (config.Edges == 0)
            return;
        var (edge, share) = slot.Edges.Length == 0 ? (0, 0f) : slot.Locate(value);
        (_edges[entry], _edges[entry + 1]) = (edge * config.Numbers.Length + number, (edge + 1) * config.Numbers.Length + number);
        (_edgeWeights[entry], _edgeWeights[entry + 1]) = (1f - share, share);
    }

    private void Reserve(int rows)
    {
        if (_capacity >= rows && _offsets.Length > 0)
            return;
        _capacity = rows;
        var numbers = config.EmbeddingWidth == 0 ? 0 : rows * config.Numbers.Length;
        var tokens = rows * config.Members;
        _direct = new float[rows * config.DirectColumns];
        (_members, _rowOfTokens) = (new int[tokens], new int[tokens]);
        for (var token = 0; token < tokens; token++)
            (_members[token], _rowOfTokens[token]) = (token % config.Members, token / config.Members);
        _lengths = [.. Enumerable.Repeat(config.Members, rows)];
        _offsets = [.. Enumerable.Range(0, numbers + 1).Select(i => 2 * i)];
        (_affine, _affineWeights) = (new int[2 * numbers], new float[2 * numbers]);
        (_edges, _edgeWeights) = (new int[2 * numbers], new float[2 * numbers]);
        _tableOffsets = new int[rows + 1];
        if (indicators.Columns.Length > 0)
            (_others, _indicatorOffsets) = (new float[rows * indicators.Others.Length], new int[tokens + 1]);
    }
}
