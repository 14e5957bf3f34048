using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Exponential moving average of parameters over the steps of a training, e ← d·e + (1 − d)·w after each: smoother than the last step's
/// weights (Polyak and Juditsky 1992; Tarvainen and Valpola 2017, "Mean teachers").
/// </summary>
internal sealed class WeightAverage
{
    private readonly IReadOnlyList<Parameter> _parameters;
    private readonly float _decay;
    private readonly bool _warmsUp;
    private readonly float[][] _averages;
    private readonly float[] _values;
    private bool _isEmpty;
    private int _updates;

    /// <summary>Starts an average.</summary>
    /// <param name="parameters">The parameters.</param>
    /// <param name="decay">d, within [0, 1).</param>
    /// <param name="startsAtFirstUpdate">Whether the first update takes the weights as they are; else the average starts with those now.</param>
    /// <param name="warmsUp">
    /// Whether d is min(d, (1 + t)/(10 + t)) at update t = 1, 2, …, so that the first weights are soon forgotten.
    /// </param>
    public WeightAverage(IReadOnlyList<Parameter> parameters, float decay, bool startsAtFirstUpdate = false, bool warmsUp = false)
    {
        _parameters = parameters;
        _decay = OptionCheck.Rate(decay, nameof(decay));
        _warmsUp = warmsUp;
        _averages = [.. parameters.Select(parameter => parameter.Value.ToArray())];
        _values = new float[parameters.Count == 0 ? 0 : parameters.Max(parameter => parameter.Value.Length)];
        _isEmpty = startsAtFirstUpdate;
    }

    /// <summary>The averages, one for each parameter.</summary>
    public IReadOnlyList<float[]> Averages => _averages;

    /// <summary>The averages with the parameters' names.</summary>
    public IEnumerable<NamedValues> Export() =>
        _parameters.Zip(_averages, (p, values) => new NamedValues(p.Name, p.Value.Shape.ToArray(), values));

    /// <summary>Goes on from averages that were exported.</summary>
    /// <param name="values">For each parameter as many as it has.</param>
    /// <param name="updates">Number of updates until then.</param>
    public void Import(IReadOnlyList<float[]> values, int updates)
    {
        for (var i = 0; i < _averages.Length; i++)
            values[i].CopyTo(_averages[i], 0);
        (_isEmpty, _updates) = (_isEmpty && updates == 0, updates);
    }

    /// <summary>Takes up the weights after a step.</summary>
    public void Update()
    {
        _updates++;
        var decay = _warmsUp ? Math.Min(_decay, (1.0 + _updates) / (10.0 + _updates)) : _decay;
        var share = _isEmpty ? 1f : (float)(1 - decay);
        _isEmpty = false;
        for (var i = 0; i < _averages.Length; i++)
        {
            var average = _averages[i];
            var values = _values.AsSpan(0, average.Length);
            _parameters[i].Value.CopyTo(values);
            for (var j = 0; j < values.Length; j++)
                average[j] += share * (values[j] - average[j]);
        }
    }

    /// <summary>Gives the parameters the averages, and keeps what they had in their place; called again, it undoes that.</summary>
    public void Swap()
    {
        for (var i = 0; i < _averages.Length; i++)
        {
            var values = _parameters[i].Value.ToArray();
            _parameters[i].Value.CopyFrom(_averages[i]);
            _averages[i] = values;
        }
    }
}
