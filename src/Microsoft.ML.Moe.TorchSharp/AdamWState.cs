using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>A parameter with its moments, which are made at the first step.</summary>
internal abstract class AdamWState(string name, TorchTensor tensor, ParameterGroup group) : IDisposable
{
    private readonly AdamWEntries _entries = new(name);
    private torch.Tensor? _first;
    private torch.Tensor? _second;

    public TorchTensor Tensor => tensor;

    public ParameterGroup Group => group;

    /// <summary>First moments, flat.</summary>
    public torch.Tensor First => _first ??= Zeros();

    /// <summary>Second moments, flat.</summary>
    public torch.Tensor Second => _second ??= Zeros();

    /// <summary>Numbers of steps: one, or one for each row.</summary>
    protected abstract int[] Steps { get; set; }

    /// <summary>The moments and steps; nothing before the first step.</summary>
    public IEnumerable<NamedValues> Export()
    {
        if (_first is null)
            yield break;
        yield return new NamedValues(_entries.First, tensor.Shape.ToArray(), DeviceMemory.ToArray(First));
        yield return new NamedValues(_entries.Second, tensor.Shape.ToArray(), DeviceMemory.ToArray(Second));
        yield return new NamedValues(_entries.Steps, [Steps.Length], Array.ConvertAll(Steps, step => (float)step));
    }

    /// <summary>Checks that what <see cref="Export"/> has given fits.</summary>
    /// <exception cref="ArgumentException">It does not; the message names the parameter.</exception>
    public void CheckFits(IReadOnlyDictionary<string, NamedValues> state) =>
        _entries.CheckFits(state, tensor.Shape, countsRows: this is not DenseAdamWState);

    /// <summary>Takes up what <see cref="Export"/> has given.</summary>
    public void Import(IReadOnlyDictionary<string, NamedValues> state)
    {
        DisposeMoments();
        if (!state.TryGetValue(_entries.First, out var first))
        {
            Steps = new int[Steps.Length];
            return;
        }

        _first = tensor.Engine.Device.Upload(first.Values).DetachFromDisposeScope();
        _second = tensor.Engine.Device.Upload(state[_entries.Second].Values).DetachFromDisposeScope();
        Steps = Array.ConvertAll(state[_entries.Steps].Values, step => (int)step);
    }

    public virtual void Dispose() => DisposeMoments();

    private void DisposeMoments()
    {
        _first?.Dispose();
        _second?.Dispose();
        (_first, _second) = (null, null);
    }

    private torch.Tensor Zeros() => torch.zeros([tensor.Length], device: tensor.Engine.Device).DetachFromDisposeScope();
}
