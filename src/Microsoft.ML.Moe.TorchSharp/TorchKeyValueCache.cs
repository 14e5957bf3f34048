using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>A cache on the device: the rows of a sequence stand one after the other, with room for all that it may have.</summary>
internal sealed class TorchKeyValueCache : KeyValueCache
{
    private torch.Tensor _keys;
    private torch.Tensor _values;
    private bool _isDisposed;

    public TorchKeyValueCache(TorchEngine engine, int sequences, int capacity, int keyWidth, int valueWidth)
        : base(sequences, capacity, keyWidth, valueWidth)
    {
        Engine = engine;
        _keys = Empty(keyWidth);
        _values = Empty(valueWidth);
    }

    public TorchEngine Engine { get; }

    /// <summary>[B·capacity, keyWidth].</summary>
    public torch.Tensor Keys => _keys;

    /// <summary>[B·capacity, valueWidth].</summary>
    public torch.Tensor Values => _values;

    protected override bool IsDisposed => _isDisposed || Engine.IsDisposed;

    /// <summary>Stores the keys and values of new tokens behind those of their sequences, and counts them.</summary>
    public void Append(TorchTape tape, TorchTensor kTD, TorchTensor vTD, SequenceLayout layout)
    {
        if (layout.Tokens > 0)
        {
            var rows = new int[layout.Tokens];
            for (var sequence = 0; sequence < Sequences; sequence++)
            {
                var (start, end) = (layout.Offsets[sequence], layout.Offsets[sequence + 1]);
                for (var token = start; token < end; token++)
                    rows[token] = sequence * Capacity + Lengths[sequence] + token - start;
            }

            tape.InScope(() =>
            {
                var rowsT = Engine.Device.Upload(rows);
                _keys.index_copy_(0, rowsT, kTD.Value);
                _values.index_copy_(0, rowsT, vTD.Value);
                return true;
            });
        }

        Count(layout);
    }

    protected override void ReorderCore(ReadOnlySpan<int> sources)
    {
        var copy = sources.ToArray();
        (_keys, _values) = OutOfMemory.Explained(Engine, batch: null, () =>
        {
            using var scope = torch.NewDisposeScope();
            using var noGradient = torch.set_grad_enabled(false);
            var sourcesB = Engine.Device.Upload(copy);
            return (Reordered(_keys, sourcesB), Reordered(_values, sourcesB));
        });
    }

    protected override void Dispose(bool disposing)
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        _keys.Dispose();
        _values.Dispose();
    }

    private torch.Tensor Reordered(torch.Tensor before, torch.Tensor sourcesB)
    {
        var after = before.reshape(Sequences, -1).index_select(0, sourcesB).reshape(before.shape).DetachFromDisposeScope();
        before.Dispose();
        return after;
    }

    private torch.Tensor Empty(int width) => OutOfMemory.Explained(
        Engine,
        batch: null,
        () => torch.zeros([(long)Sequences * Capacity, width], device: Engine.Device).DetachFromDisposeScope());
}
