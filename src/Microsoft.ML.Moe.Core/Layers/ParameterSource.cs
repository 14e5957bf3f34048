using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>Another model's parameters as tensors to be read: copied from its engine one at a time, when they are wanted.</summary>
internal sealed class ParameterSource : TensorSource
{
    private readonly Dictionary<string, TensorInfo> _tensors = [];
    private readonly Dictionary<string, Parameter> _parameters;
    private readonly Lock _lock = new();
    private (TensorInfo? Tensor, float[]? Values, ushort[]? Bits) _copy;

    /// <summary>Creates the source.</summary>
    /// <param name="name">What errors call the model.</param>
    /// <param name="parameters">Its parameters.</param>
    public ParameterSource(string name, IEnumerable<Parameter> parameters)
    {
        Name = name;
        _parameters = parameters.ToDictionary(p => p.Name);
        foreach (var (key, parameter) in _parameters)
        {
            var type = parameter.Value.ElementType == ElementType.BFloat16 ? TensorType.BF16 : TensorType.F32;
            _tensors.Add(key, new TensorInfo(key, type, parameter.Value.Shape.ToArray(), parameter.Value.Length, 0));
        }
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <inheritdoc/>
    protected override void ReadSingle(TensorInfo tensor, long first, Span<float> values)
    {
        float[] all;
        lock (_lock)
        {
            if (_copy.Tensor != tensor || _copy.Values is null)
                _copy = (tensor, _parameters[tensor.Name].Value.ToArray(), null);
            all = _copy.Values;
        }

        all.AsSpan((int)first, values.Length).CopyTo(values);
    }

    /// <inheritdoc/>
    protected override void ReadBits(TensorInfo tensor, long first, Span<ushort> bits)
    {
        ushort[] all;
        lock (_lock)
        {
            if (_copy.Tensor != tensor || _copy.Bits is null)
                _copy = (tensor, null, _parameters[tensor.Name].Value.ToBFloat16Array());
            all = _copy.Bits;
        }

        all.AsSpan((int)first, bits.Length).CopyTo(bits);
    }
}
