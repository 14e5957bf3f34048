using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>
/// Makes a model's parameters from random or saved values, or takes those of another model, and keeps them by role. A parameter's random
/// values depend on nothing but the seed and the parameter's name, so that one seed always gives one model.
/// </summary>
internal sealed class ParameterStore
{
    private readonly Engine _engine;
    private readonly int _seed;
    private readonly Func<string, int[], FillValues>? _saved;
    private readonly Weights? _weights;
    private readonly Func<string, int[], float[], float[]>? _start;
    private readonly Dictionary<string, Parameter>? _shared;
    private readonly List<(Parameter Parameter, ParameterRole Role)> _all = [];

    /// <summary>
    /// A store with random values, or those that <paramref name="start"/> gives for a name, a shape and random values.
    /// </summary>
    public ParameterStore(Engine engine, int seed, Func<string, int[], float[], float[]>? start = null)
    {
        _engine = engine;
        _seed = seed;
        _start = start;
    }

    /// <summary>A store that takes saved values: given name and shape it returns what reads them, or throws.</summary>
    public ParameterStore(Engine engine, Func<string, int[], FillValues> saved)
        : this(engine, 0) => _saved = saved;

    /// <summary>As above, with values that are in memory.</summary>
    public ParameterStore(Engine engine, Func<string, int[], float[]> saved)
        : this(engine, (name, shape) => saved(name, shape).CopyTo)
    {
    }

    /// <summary>A store that takes weights, and initialises what these leave to it; <see cref="Weights.Complete"/> is the caller's.</summary>
    public ParameterStore(Engine engine, Weights weights, int seed = 0)
        : this(engine, seed) => _weights = weights;

    /// <summary>A store that makes none but hands out another's, by name; both models then share them.</summary>
    public ParameterStore(ParameterStore other)
        : this(other, other.Precision)
    {
    }

    /// <summary>
    /// As above; what is not the other's is random, which adapters alone may be. The other's stay as they are: no gradient is computed for them.
    /// </summary>
    public ParameterStore(ParameterStore other, int seed)
        : this(other._engine, seed)
    {
        Precision = other.Precision;
        _shared = other._all.ToDictionary(p => p.Parameter.Name, p => _engine.Frozen(p.Parameter));
    }

    /// <summary>As above, with others in place of some of the other store's.</summary>
    public ParameterStore(ParameterStore other, IReadOnlyDictionary<string, Parameter> replaced)
        : this(other) => _shared = _shared!.ToDictionary(p => p.Key, p => replaced.GetValueOrDefault(p.Key, p.Value));

    /// <summary>As above, with the matrices of the network, which are where the memory goes, in a precision for inference.</summary>
    public ParameterStore(ParameterStore other, InferencePrecision precision)
        : this(other._engine, 0)
    {
        Precision = precision;
        _shared = other._all.ToDictionary(
            p => p.Parameter.Name,
            p => p.Role == ParameterRole.Weight ? _engine.InPrecision(p.Parameter, precision) : p.Parameter);
    }

    /// <summary>What the matrices of the network are in when it scores.</summary>
    public InferencePrecision Precision { get; }

    /// <summary>
    /// Whether embedding tables learn as matrices do, all rows at each step and their gradients clipped with the others, as other libraries
    /// train them; by default only the rows that a step has touched.
    /// </summary>
    public bool HasDenseTables { get; init; }

    /// <summary>For each row of embedding tables whether it begins with random values; the others begin at zero. null for all.</summary>
    public bool[]? UsedRows { get; init; }

    /// <summary>Makes adapters of the model's matrices, as layers ask for them; null where there are none.</summary>
    public Func<ParameterStore, Parameter, ParameterRole, Adapter?>? Adapters { get; set; }

    /// <summary>The parameters in order of creation.</summary>
    public IReadOnlyList<(Parameter Parameter, ParameterRole Role)> All => _all;

    /// <summary>Normally distributed values around 0.</summary>
    public Parameter Normal(string name, ParameterRole role, float deviation, params int[] shape)
    {
        var key = StableHash.Of(name, (uint)_seed);
        var used = role == ParameterRole.Embedding ? UsedRows : null;
        return Create(name, role, shape, (row, values) =>
        {
            if (used is null || used[row])
                NormalNumbers.Fill(key, row, deviation, values);
        });
    }

    /// <summary>One value everywhere.</summary>
    public Parameter Constant(string name, ParameterRole role, float value, params int[] shape) =>
        Create(name, role, shape, (_, values) => values.Fill(value));

    /// <summary>Values between two bounds, evenly distributed.</summary>
    public Parameter Uniform(string name, ParameterRole role, float bound, params int[] shape)
    {
        var key = StableHash.Of(name, (uint)_seed);
        return Create(name, role, shape, (row, values) => UniformNumbers.Fill(key, row, bound, values));
    }

    /// <summary>The adapter of a matrix, or of the stacked matrices of experts, that a layer multiplies with; null where it has none.</summary>
    /// <param name="parameter">One that this store has made.</param>
    /// <param name="role">What it does.</param>
    public Adapter? AdapterOf(Parameter parameter, ParameterRole role = ParameterRole.Weight) => Adapters?.Invoke(this, parameter, role);

    /// <summary>A parameter that has been made already, to be used once more: an output table that is the token table.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public Parameter Made(string name) => _all.FirstOrDefault(p => p.Parameter.Name == name).Parameter
        ?? throw new InvalidOperationException($"There is no '{name}' yet.");

    /// <summary>What training may change: the adapters where there are some, else all parameters.</summary>
    public IEnumerable<(Parameter Parameter, ParameterRole Role)> Trained =>
        Adapters is null ? _all : _all.Where(p => p.Role == ParameterRole.Adapter);

    /// <summary>Parameters of one role.</summary>
    public IReadOnlyList<Parameter> Of(ParameterRole role) => [.. _all.Where(p => p.Role == role).Select(p => p.Parameter)];

    private Parameter Create(string name, ParameterRole role, int[] shape, InitialRow initialRow)
    {
        var parameter = _shared is null || (role == ParameterRole.Adapter && !_shared.ContainsKey(name))
            ? Make(name, role, shape, initialRow)
            : Share(_shared[name], shape);
        _all.Add((parameter, role));
        return parameter;
    }

    private static Parameter Share(Parameter parameter, int[] shape) => parameter.Value.Shape.SequenceEqual(shape)
        ? parameter
        : throw new InvalidOperationException(
            $"'{parameter.Name}' has the shape [{string.Join(", ", parameter.Value.Shape.ToArray())}], not [{string.Join(", ", shape)}].");

    private Parameter Make(string name, ParameterRole role, int[] shape, InitialRow initialRow)
    {
        var sparseRows = role == ParameterRole.Embedding && !HasDenseTables;
        if (_saved is not null)
            return _engine.CreateParameter(name, shape, _saved(name, shape), sparseRows);
        if (_weights?.Create(_engine, name, shape, sparseRows, mayBeBFloat16: role.IsMatrix(), mayBeInt8: role == ParameterRole.Weight) is { } given)
            return given;
        var parameter = _engine.CreateParameter(name, shape, initialRow, sparseRows);
        if (_start is not null)
            parameter.Value.CopyFrom(_start(name, shape, parameter.Value.ToArray()));
        return parameter;
    }
}
