using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// What a classifier's training starts from instead of chance: the encoder of a trained model, and, for classes that it knows
/// already, what it learned of them. The values are copied: the model that they come from may go.
/// </summary>
public sealed class InitialTextModel
{
    private readonly Dictionary<string, NamedValues> _values;
    private readonly IReadOnlyList<int>? _classes;
    private readonly IReadOnlyList<int>? _tokens;

    private InitialTextModel(
        TextEncoderConfig config, IEnumerable<Parameter> parameters, IReadOnlyList<int>? classes, IReadOnlyList<int>? tokens)
    {
        Config = config;
        _values = parameters.Select(NamedValues.Of).ToDictionary(v => v.Name);
        _classes = classes;
        _tokens = tokens;
    }

    /// <summary>Input and architecture, which the new model takes over.</summary>
    internal TextEncoderConfig Config { get; }

    /// <summary>Bits of the wide table to go on with; 0 where there is nothing in it to go on with.</summary>
    internal int WideBits => Config is TextClassifierConfig known && _classes is not null ? known.WideBits : 0;

    /// <summary>Starts from a trained classifier.</summary>
    /// <param name="classifier">The classifier.</param>
    /// <param name="classes">
    /// For each class of the new classifier the number of that class in this one, or −1 where it has none; null when they have nothing
    /// in common.
    /// </param>
    /// <param name="tokens">
    /// For each id of the new tokenizer the id of the same subword in this model's, or −1; null when the vocabulary is the same.
    /// </param>
    public static InitialTextModel From(
        TextClassifier classifier, IReadOnlyList<int>? classes = null, IReadOnlyList<int>? tokens = null)
    {
        ArgumentNullException.ThrowIfNull(classifier);
        if (classes?.Any(c => c < -1 || c >= classifier.ClassCount) == true)
            throw new ArgumentOutOfRangeException(nameof(classes), $"The classifier has {classifier.ClassCount} classes.");
        var parameters = classifier.Parameters.All.Select(p => p.Parameter)
            .Where(p => classes is not null || !TextClassifierNetwork.IsOfClasses(p.Name));
        return new InitialTextModel(classifier.Config, parameters, classes, tokens);
    }

    /// <summary>Starts from a pretrained encoder.</summary>
    /// <param name="encoder">The encoder.</param>
    /// <param name="tokens">
    /// For each id of the new tokenizer the id of the same subword in this model's, or −1; null when the vocabulary is the same.
    /// </param>
    public static InitialTextModel From(PretrainedTextEncoder encoder, IReadOnlyList<int>? tokens = null)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        return new InitialTextModel(encoder.Config, encoder.Parameters.All.Select(p => p.Parameter), null, tokens);
    }

    /// <summary>Values to start a parameter from.</summary>
    /// <param name="name">Name of the parameter.</param>
    /// <param name="shape">Its shape in the new model.</param>
    /// <param name="fresh">Values by chance; may be changed.</param>
    internal float[] StartOf(string name, int[] shape, float[] fresh)
    {
        if (!_values.TryGetValue(name, out var known))
            return fresh;
        if (name == TextEncoder.TokenTable)
            return StartOfTokens(shape, fresh);
        if (TextClassifierNetwork.IsOfClasses(name))
            return StartOfClasses(shape, fresh, known);
        return shape.AsSpan().SequenceEqual(known.Shape)
            ? known.Values
            : throw new InvalidOperationException($"'{name}' does not have the shape of the initial model's.");
    }

    /// <summary>Rows of tokens that both know.</summary>
    private float[] StartOfTokens(int[] shape, float[] fresh)
    {
        var (rows, width) = (shape[0], shape[1]);
        for (var row = 0; row < rows; row++)
            LearnedRow(row, rows).CopyTo(fresh.AsSpan(row * width));
        return fresh;
    }

    /// <summary>What was learned of a token; empty for one unknown. A row of zeros was never learned.</summary>
    private ReadOnlySpan<float> LearnedRow(int row, int rows)
    {
        var known = _values[TextEncoder.TokenTable];
        var id = row - Text.TextInput.SpecialRows;
        var source = row;
        if (_tokens is null ? rows != known.Shape[0] : id >= _tokens.Count)
            return [];
        if (_tokens is not null && id >= 0)
            source = _tokens[id] < 0 ? -1 : Text.TextInput.SpecialRows + _tokens[id];
        if (source < 0 || source >= known.Shape[0])
            return [];
        var learned = known.Values.AsSpan(source * known.Shape[1], known.Shape[1]);
        return learned.ContainsAnyExcept(0f) ? learned : [];
    }

    /// <summary>
    /// Columns, the last dimension, of classes that both know. Where the new table has more rows, 2ⁿ times as many, each one becomes
    /// as many that say the same: features are numbered by the leading bits of a hash.
    /// </summary>
    private float[] StartOfClasses(int[] shape, float[] fresh, NamedValues known)
    {
        var (count, knownCount) = (shape[^1], known.Shape[^1]);
        var rows = fresh.Length / count;
        var knownRows = known.Values.Length / knownCount;
        if (_classes is null || rows % knownRows != 0)
            return fresh;
        var copies = rows / knownRows;
        for (var row = 0; row < rows; row++)
            for (var c = 0; c < count; c++)
                if (_classes[c] >= 0)
                    fresh[row * count + c] = known.Values[row / copies * knownCount + _classes[c]];
        return fresh;
    }
}
