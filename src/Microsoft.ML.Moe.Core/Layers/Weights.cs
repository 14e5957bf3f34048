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
    private readonly TensorSource _source;
    private readonly WeightRules _rules;
    private readonly bool _keepsBFloat16;
    private readonly IDerivedWeights? _derived;
    private readonly HashSet<string> _used = [];
    private readonly List<string> _missing = [];
    private readonly List<string> _misfits = [];

    private Weights(TensorSource source, WeightRules rules, bool keepsBFloat16, IDerivedWeights? derived) =>
        (_source, _rules, _keepsBFloat16, _derived) = (source, rules, keepsBFloat16, derived);

    /// <summary>Weights of a source.</summary>
    /// <param name="source">Not to be disposed before the model is made.</param>
    /// <param name="rules">What is where; null where the source has the model's own names.</param>
    /// <param name="keepsBFloat16">
    /// Whether matrices that the source has in bfloat16 stay so and are frozen, for inference; else they become float32, to be trained.
    /// </param>
    /// <param name="derived">Computes the parameters that are no parts of the source; null for none.</param>
    public static Weights From(
        TensorSource source, WeightRules? rules = null, bool keepsBFloat16 = true, IDerivedWeights? derived = null) =>
        new(source, rules ?? WeightRules.Identity(), keepsBFloat16, derived);

    /// <summary>Makes a parameter.</summary>
    /// <param name="engine">Makes it.</param>
    /// <param name="name">The model's own name for it.</param>
    /// <param name="shape">The shape that it must have.</param>
    /// <param name="sparseRows">See <see cref="Engine.CreateParameter(string, ReadOnlySpan{int}, ReadOnlySpan{float}, bool)"/>.</param>
    /// <param name="mayBeBFloat16">Whether the model multiplies with it or looks rows up, so that it may be in bfloat16.</param>
    /// <returns>
    /// The parameter, of zeros where the source has none that fits, which <see cref="Complete"/> then tells; null where the model is to
    /// initialise it.
    /// </returns>
    public Parameter? Create(Engine engine, string name, int[] shape, bool sparseRows, bool mayBeBFloat16)
    {
        if (_derived?.Find(name, shape, (part, size) => Read(engine, part, size)) is { } fill)
            return engine.CreateParameter(name, shape, fill, sparseRows);
        if (!TryFind(name, shape, out var block))
            return engine.CreateParameter(name, shape, (_, _) => { }, sparseRows);
        return block is null ? null : Create(engine, name, block, sparseRows, mayBeBFloat16);
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
            BlockReader<float>.Read(engine, _source, block, values);
        return values;
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

    private Parameter Create(Engine engine, string name, TensorBlock block, bool sparseRows, bool mayBeBFloat16)
    {
        var isBFloat16 = block.Pieces.All(p => p.Tensor is { Type: TensorType.BF16 });
        if (!isBFloat16 || !_keepsBFloat16 || !mayBeBFloat16 || block.Shape.Length < 2)
        {
            return engine.CreateParameter(
                name, block.Shape, (Span<float> values) => BlockReader<float>.Read(engine, _source, block, values), sparseRows);
        }

        var view = BlockReader<ushort>.IsWholeTensor(block) ? _source.View(block.Pieces[0].Tensor!) : null;
        return engine.CreateParameter(name, block.Shape, view ?? BFloat16Values.Create(
            (int)TensorInfo.Product(block.Shape), bits => BlockReader<ushort>.Read(engine, _source, block, bits)));
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
