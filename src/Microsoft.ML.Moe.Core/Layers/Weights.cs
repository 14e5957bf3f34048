using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>
/// Where a model's parameters take their values from when it is made: a zip of this library, a published checkpoint, another model. The
/// model asks for each by its own name and shape; <see cref="WeightRules"/> say what that is in the source.
/// </summary>
internal sealed class Weights
{
    private const int NamesInErrors = 20;
    private const int FreelyClaimed = 1 << 18;
    private readonly TensorSource _source;
    private readonly WeightRules _rules;
    private readonly WeightPrecision _precision;
    private readonly IDerivedWeights? _derived;
    private readonly HashSet<string> _used = [];
    private readonly List<string> _missing = [];
    private readonly List<string> _misfits = [];
    private double _claimed;

    private Weights(TensorSource source, WeightRules rules, WeightPrecision precision, IDerivedWeights? derived) =>
        (_source, _rules, _precision, _derived) = (source, rules, precision, derived);

    /// <summary>Weights of a source.</summary>
    /// <param name="source">Not to be disposed before the model is made.</param>
    /// <param name="rules">What is where; null where the source has the model's own names.</param>
    /// <param name="precision">
    /// What matrices become. Those that stay in bfloat16 lie in the source's files, which stay mapped while the parameters live.
    /// </param>
    /// <param name="derived">Computes the parameters that are no parts of the source; null for none.</param>
    public static Weights From(
        TensorSource source,
        WeightRules? rules = null,
        WeightPrecision precision = WeightPrecision.AsStored,
        IDerivedWeights? derived = null) => new(source, rules ?? WeightRules.Identity(), precision, derived);

    /// <summary>Makes a parameter.</summary>
    /// <param name="engine">Makes it.</param>
    /// <param name="name">The model's own name for it.</param>
    /// <param name="shape">The shape that it must have.</param>
    /// <param name="sparseRows">See <see cref="Engine.CreateParameter(string, ReadOnlySpan{int}, ReadOnlySpan{float}, bool)"/>.</param>
    /// <param name="mayBeBFloat16">Whether the model multiplies with it or looks rows up, so that it may be in bfloat16.</param>
    /// <param name="mayBeInt8">Whether it is the matrix of a linear layer, or of experts, that may be in int8.</param>
    /// <returns>
    /// The parameter, of zeros where the source has none that fits, which <see cref="Complete"/> then tells; null where the model is to
    /// initialise it.
    /// </returns>
    public Parameter? Create(Engine engine, string name, int[] shape, bool sparseRows, bool mayBeBFloat16, bool mayBeInt8 = false)
    {
        if (_derived?.Find(name, shape, (part, size) => Read(engine, part, size)) is { } fill)
            return engine.CreateParameter(name, shape, fill, sparseRows);
        if (mayBeInt8 && RoundedBefore(name, shape) is { } rounded)
        {
            return _precision == WeightPrecision.Float32
                ? engine.CreateParameter(name, shape, (Span<float> values) => rounded.CopyTo(0, values), sparseRows)
                : engine.CreateParameter(name, shape, rounded);
        }

        if (!TryFind(name, shape, out var block))
        {
            // zeros, so that all that is wrong can be told at once; but not more of them than the source has numbers, whatever is claimed
            _claimed += shape.Aggregate(1.0, (product, size) => product * size);
            if (_claimed > FreelyClaimed && _claimed > _source.Tensors.Values.Sum(t => t.Elements))
                Complete();
            return engine.CreateParameter(name, shape, (_, _) => { }, sparseRows);
        }

        return block is null ? null : Create(engine, name, block, sparseRows, mayBeBFloat16, mayBeInt8);
    }

    /// <summary>To be called when all parameters are made.</summary>
    /// <exception cref="InvalidDataException">
    /// Tensors are missing, have other shapes or are not the model's; the message names all of them, up to some of each kind.
    /// </exception>
    public void Complete()
    {
        var unused = _source.Tensors.Keys.Where(name => !_used.Contains(name) && !_rules.IsIgnored(name));
        string[] unexpected = [.. unused.Order(StringComparer.Ordinal)];
        string?[] parts = [Text("missing", _missing), Text("of another shape", _misfits), Text("unexpected", unexpected)];
        if (parts.Any(p => p is not null))
        {
            throw new InvalidDataException(
                $"{_source.Name} does not hold the weights of {_rules.Architecture}: {string.Join("; ", parts.OfType<string>())}.");
        }
    }

    // The values of a parameter that the model has not itself, zeros where they are missing.
    private float[] Read(Engine engine, string name, int[] shape)
    {
        var values = new float[TensorInfo.Product(shape)];
        if (TryFind(name, shape, out var block) && block is not null)
            Read(engine, name, block, values);
        return values;
    }

    private void Read(Engine engine, string name, TensorBlock block, Span<float> values)
    {
        BlockReader<float>.Read(engine, _source, block, values);
        WeightValues.Check(values, _source.Name, block.Pieces is [{ Tensor: { } tensor }] ? tensor.Name : $"{name}, of several");
    }

    // false, noted, where the source has none that fits; a null block where the model is to initialise the parameter.
    private bool TryFind(string name, int[] shape, out TensorBlock? block)
    {
        var match = _rules.Find(name, shape, _source.Tensors);
        _used.UnionWith(match.Tensors.Select(t => t.Name));
        block = match.Block;
        if (match.Missing is { } missing)
            _missing.Add(missing);
        else if (match.Misfit is { } misfit)
            _misfits.Add($"{misfit}, for {name} {TensorInfo.TextOf(shape)}");
        else if (block is null || block.Shape.AsSpan().SequenceEqual(shape))
            return true;
        else
            _misfits.Add($"{TextOf(match.Tensors)}, for {name} {TensorInfo.TextOf(shape)}");
        return false;
    }

    private static string? Text(string kind, IReadOnlyList<string> names) => names.Count == 0 ? null :
        $"{names.Count} {kind} ({string.Join(", ", names.Take(NamesInErrors))}{(names.Count > NamesInErrors ? ", …" : "")})";

    private static string TextOf(IReadOnlyList<TensorInfo> tensors) => string.Join(
        ", ", tensors.Select(t => $"{t.Name} {t.ShapeText}").Distinct().Take(2)) + (tensors.Count > 2 ? ", …" : "");

    private Parameter Create(Engine engine, string name, TensorBlock block, bool sparseRows, bool mayBeBFloat16, bool mayBeInt8)
    {
        var isBFloat16 = block.Pieces.All(p => p.Tensor is { Type: TensorType.BF16 });
        if (_precision == WeightPrecision.Int8 && mayBeInt8 && block.Shape.Length >= 2)
            return engine.CreateParameter(name, block.Shape, Rounded(engine, name, block, isBFloat16));
        if (!isBFloat16 || _precision == WeightPrecision.Float32 || !mayBeBFloat16 || block.Shape.Length < 2)
        {
            return engine.CreateParameter(name, block.Shape, (Span<float> values) => Read(engine, name, block, values), sparseRows);
        }

        return MatrixViews.Of(_source, block) is { } matrices
            ? engine.CreateParameter(name, block.Shape, matrices)
            : engine.CreateParameter(name, block.Shape, BFloat16Values.Create(
                (int)TensorInfo.Product(block.Shape), bits => BlockReader<ushort>.Read(engine, _source, block, bits)));
    }

    // What SavedTensor.AllOf has written of a parameter in int8; null for others.
    private StoredMatrices? RoundedBefore(string name, int[] shape)
    {
        if (shape.Length < 2
            || !_source.Tensors.TryGetValue(name, out var numbers)
            || numbers.Type != TensorType.I8
            || !_source.Tensors.TryGetValue(name + SavedTensor.Scales, out var scales))
            return null;
        int[] outer = shape[..^2];
        var (rows, columns) = (shape[^2], shape[^1]);
        var isTransposed = scales.Shape.AsSpan().SequenceEqual([.. outer, 1, columns]) && Has([.. outer, columns, rows]);
        if (!isTransposed && !(scales.Shape.AsSpan().SequenceEqual([.. outer, rows, 1]) && Has(shape)))
            return null;
        _used.UnionWith([numbers.Name, scales.Name]);
        var part = Array.Empty<float>();
        return StoredMatrices.Int8(
            shape,
            isTransposed,
            (first, target) =>
            {
                if (part.Length < target.Length)
                    part = new float[target.Length];
                _source.Read(numbers, first, part.AsSpan(0, target.Length));
                for (var i = 0; i < target.Length; i++)
                    target[i] = (sbyte)part[i];
            },
            values =>
            {
                _source.Read(scales, 0, values);
                WeightValues.Check(values, _source.Name, scales.Name);
            });

        bool Has(ReadOnlySpan<int> size) => numbers.Shape.AsSpan().SequenceEqual(size);
    }

    // Each row of the file becomes one with a scale: an output, as torch stores the matrix of a linear layer, or a token of a table. Where the
    // rows have to be read they are in memory in single precision meanwhile, those of one parameter at a time.
    private StoredMatrices Rounded(Engine engine, string name, TensorBlock block, bool isBFloat16)
    {
        if (isBFloat16 && MatrixViews.Of(_source, block) is { } matrices)
            return StoredMatrices.Int8(engine, block.Shape, matrices.IsTransposed, matrices.ReadMemoryRow);
        var isTransposed = MatrixViews.AreTransposed(block) ?? true;
        var rows = isTransposed ? block.Transposed()! : block;
        var values = new float[TensorInfo.Product(rows.Shape)];
        Read(engine, name, rows, values);
        var length = rows.Shape[^1];
        return StoredMatrices.Int8(
            engine, block.Shape, isTransposed, (row, target) => values.AsSpan(row * length, length).CopyTo(target));
    }
}

/// <summary>Parameters that are computed of others, which the model itself does not have.</summary>
internal interface IDerivedWeights
{
    /// <summary>Finds what a parameter begins with.</summary>
    /// <param name="name">The parameter.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="read">Reads the values of another by name and shape, row-major.</param>
    /// <returns>Fills in the values, row-major; null where the parameter is not computed.</returns>
    FillValues? Find(string name, int[] shape, Func<string, int[], float[]> read);
}
