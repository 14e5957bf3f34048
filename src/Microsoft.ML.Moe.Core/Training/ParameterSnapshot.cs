using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>A copy of parameters' values, to go back to.</summary>
/// <param name="parameters">The parameters.</param>
internal sealed class ParameterSnapshot(IReadOnlyList<Parameter> parameters)
{
    // made when values are taken first: where nothing is evaluated, nothing is kept
    private float[][]? _values;

    /// <summary>Whether values were taken.</summary>
    public bool IsTaken => _values is not null;

    /// <summary>Copies the values as they are now.</summary>
    public void Take()
    {
        _values ??= [.. parameters.Select(p => new float[p.Value.Length])];
        for (var i = 0; i < _values.Length; i++)
            parameters[i].Value.CopyTo(_values[i]);
    }

    /// <summary>The values taken; none where none were.</summary>
    public IEnumerable<NamedValues> Export() =>
        parameters.Zip(_values ?? [], (p, values) => new NamedValues(p.Name, p.Value.Shape.ToArray(), values));

    /// <summary>Takes values from elsewhere.</summary>
    /// <param name="values">For each parameter as many as it has; become this snapshot's.</param>
    public void Import(IReadOnlyList<float[]> values) => _values = [.. values];

    /// <summary>Puts the values back, if any were taken.</summary>
    public void Restore()
    {
        for (var i = 0; i < _values?.Length; i++)
            parameters[i].Value.CopyFrom(_values[i]);
    }
}
