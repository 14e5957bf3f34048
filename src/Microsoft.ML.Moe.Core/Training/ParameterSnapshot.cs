using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>A copy of parameters' values, to go back to.</summary>
/// <param name="parameters">The parameters.</param>
internal sealed class ParameterSnapshot(IReadOnlyList<Parameter> parameters)
{
    // made when values are taken first: where nothing is evaluated, nothing is kept
    private Kept[]? _values;

    /// <summary>Whether values were taken.</summary>
    public bool IsTaken => _values is not null;

    /// <summary>Copies the values as they are now.</summary>
    public void Take()
    {
        _values ??= [.. parameters.Select(p => new Kept(p))];
        foreach (var kept in _values)
            kept.Take();
    }

    /// <summary>The values taken; none where none were.</summary>
    public IEnumerable<NamedValues> Export() =>
        parameters.Zip(_values ?? [], (p, kept) => new NamedValues(p.Name, p.Value.Shape.ToArray(), kept.ToArray()));

    /// <summary>Takes values from elsewhere.</summary>
    /// <param name="values">For each parameter as many as it has; become this snapshot's.</param>
    public void Import(IReadOnlyList<float[]> values) => _values = [.. parameters.Zip(values, (p, array) => new Kept(p, array))];

    /// <summary>Puts the values back, if any were taken.</summary>
    public void Restore()
    {
        foreach (var kept in _values ?? [])
            kept.Restore();
    }

    /// <summary>The values of one parameter; of a table those of the rows that training texts use, which alone are not zero.</summary>
    private sealed class Kept
    {
        private readonly Tensor _of;
        private readonly KeptRows? _rows;
        private readonly float[] _all;

        public Kept(Parameter parameter, float[]? values = null)
        {
            _of = parameter.Value;
            _rows = parameter.SparseRows ? new KeptRows(_of.Length, _of.Columns) : null;
            _all = _rows is not null ? [] : values ?? new float[_of.Length];
            if (values is not null)
                _rows?.Take(values);
        }

        public void Take()
        {
            if (_rows is not null)
                _of.CopyTo(_rows);
            else
                _of.CopyTo(_all);
        }

        public void Restore()
        {
            if (_rows is not null)
                _of.CopyFrom(_rows);
            else
                _of.CopyFrom(_all);
        }

        public float[] ToArray() => _rows?.ToArray() ?? _all;
    }
}
