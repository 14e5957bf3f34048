namespace Microsoft.ML.Moe.Tensors;

/// <summary>A value that is there already, or that a device is still computing; see <see cref="Tensor.ReadLater"/>.</summary>
public readonly struct LaterValue
{
    private readonly float _value;
    private readonly Func<float>? _read;

    /// <summary>A value that is there.</summary>
    /// <param name="value">The value.</param>
    public LaterValue(float value) => _value = value;

    /// <summary>A value to wait for.</summary>
    /// <param name="read">Waits for the value and gives it; is called once.</param>
    public LaterValue(Func<float> read) => _read = read;

    /// <summary>Waits for the value where it is not there. To be called once; the tensor's tape may be disposed by then.</summary>
    public float Read() => _read is null ? _value : _read();
}
