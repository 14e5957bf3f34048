using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>A copy of parameters' values, to go back to.</summary>
/// <param name="parameters">The parameters.</param>
internal sealed class ParameterSnapshot(IReadOnlyList<Parameter> parameters)
{
    private readonly float[][] _values = [.. parameters.Select(p => new float[p.Value.Length])];

    /// <summary>Whether values were taken.</summary>
    public bool IsTaken { get; private set; }

    /// <summary>Copies the values as they are now.</summary>
    public void Take()
    {
        for (var i = 0; i < _values.Length; i++)
            parameters[i].Value.CopyTo(_values[i]);
        IsTaken = true;
    }

    /// <summary>The values taken.</summary>
    public IEnumerable<NamedValues> Export() =>
        parameters.Zip(_values, (p, values) => new NamedValues(p.Name, p.Value.Shape.ToArray(), values));

    /// <summary>Takes values from elsewhere.</summary>
    /// <param name="values">For each parameter as many as it has.</param>
    public void Import(IReadOnlyList<float[]> values)
    {
        for (var i = 0; i < _values.Length; i++)
            values[i].CopyTo(_values[i], 0);
        IsTaken = true;
    }

    /// <summary>Puts the values back.</summary>
    public void Restore()
    {
        for (var i = 0; i < _values.Length; i++)
            parameters[i].Value.CopyFrom(_values[i]);
    }
}
