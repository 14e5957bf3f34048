using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// What training starts from instead of random weights: the input and encoder of a trained model, and, for classes that it knows
/// already, what it learned of them. The values are copied, so that model can be disposed.
/// </summary>
public sealed class WarmStart
{
    private readonly Dictionary<string, NamedValues> _values;
    private readonly IReadOnlyList<int>? _classes;
    private readonly IReadOnlyList<int>? _tokens;

    private WarmStart(ModelConfig config, IEnumerable<Parameter> parameters, IReadOnlyList<int>? classes, IReadOnlyList<int>? tokens)
    {
        Input = config.Input;
        // the width of its dense blocks, which need not follow from its router any more
        Encoder = config.Encoder with { DenseWidth = config.Encoder.FeedForwardWidth };
        _values = parameters.Select(NamedValues.Of).ToDictionary(v => v.Name);
        _classes = classes;
        _tokens = tokens;
    }

    /// <summary>The input, which the new model takes over.</summary>
    internal InputConfig Input { get; }

    /// <summary>The architecture, which the new model takes over.</summary>
    internal EncoderConfig Encoder { get; }

    /// <summary>The architecture of a model that starts here: this one's, but for what only training uses.</summary>
    /// <param name="start">The start, if any.</param>
    /// <param name="wanted">What is asked for.</param>
    internal static EncoderConfig EncoderOf(WarmStart? start, EncoderConfig wanted) => start is null
        ? wanted
        : start.Encoder with
        {
            Dropout = wanted.Dropout,
            LoadBalancingCoefficient = wanted.LoadBalancingCoefficient,
            RouterZLossCoefficient = wanted.RouterZLossCoefficient,
        };

    /// <summary>Starts from a trained model.</summary>
    /// <param name="model">The model: a classifier or an encoder.</param>
    /// <param name="classes">
    /// For each class of the new classifier the number of that class in this one, or −1 where it has none; null when they have nothing
    /// in common.
    /// </param>
    /// <param name="tokens">
    /// For each id of the new tokenizer the id of the same subword in this model's, or −1; null when the vocabulary is the same.
    /// </param>
    /// <exception cref="ArgumentException">The model is no classifier, or has a published encoder.</exception>
    public static WarmStart From<TRow>(Model<TRow> model, IReadOnlyList<int>? classes = null, IReadOnlyList<int>? tokens = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.Config.Input is PublishedTextInputConfig)
            throw new ArgumentException("The model has a published encoder; only models of this library's own architecture are gone on with.", nameof(model));
        if (classes is not null && model.Head is not (ClassifierHead or BinaryHead or ValueHead))
            throw new ArgumentException("The model is no classifier: it knows no classes.", nameof(classes));
        if (classes?.Any(c => c < -1 || c >= model.Outputs) == true)
            throw new ArgumentOutOfRangeException(nameof(classes), $"The classifier has {model.Outputs} classes.");
        var parameters = model.Parameters.All.Select(p => p.Parameter)
            .Where(p => classes is not null || !ClassifierHead.IsOfClasses(p.Name));
        return new WarmStart(model.Config, parameters, classes, tokens);
    }

    /// <summary>Values to start a parameter from.</summary>
    /// <param name="name">Name of the parameter.</param>
    /// <param name="shape">Its shape in the new model.</param>
    /// <param name="fresh">Random values; may be changed.</param>
    internal float[] StartOf(string name, int[] shape, float[] fresh)
    {
        if (!_values.TryGetValue(name, out var known))
            return fresh;
        if (name == TextEmbedding.TokenTable)
            return StartOfTokens(shape, fresh);
        if (name == TextEmbedding.PositionTable)
        {
            // another length is read: what was learned of the positions that both have
            known.Values.AsSpan(0, Math.Min(known.Values.Length, fresh.Length)).CopyTo(fresh);
            return fresh;
        }

        if (ClassifierHead.IsOfClasses(name))
            return StartOfClasses(shape, fresh, known);
        return shape.AsSpan().SequenceEqual(known.Shape)
            ? known.Values
            : throw new InvalidOperationException($"'{name}' does not have the shape of the earlier model's.");
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
        var known = _values[TextEmbedding.TokenTable];
        var id = row - TableTextInput.SpecialRows;
        var source = row;
        if (_tokens is null ? rows != known.Shape[0] : id >= _tokens.Count)
            return [];
        if (_tokens is not null && id >= 0)
            source = _tokens[id] < 0 ? -1 : TableTextInput.SpecialRows + _tokens[id];
        if (source < 0 || source >= known.Shape[0])
            return [];
        var learned = known.Values.AsSpan(source * known.Shape[1], known.Shape[1]);
        return learned.ContainsAnyExcept(0f) ? learned : [];
    }

    /// <summary>Columns, the last dimension, of classes that both know.</summary>
    private float[] StartOfClasses(int[] shape, float[] fresh, NamedValues known)
    {
        var (count, knownCount) = (shape[^1], known.Shape[^1]);
        if (_classes is null || fresh.Length / count != known.Values.Length / knownCount)
            return fresh;
        for (var row = 0; row < fresh.Length / count; row++)
            for (var c = 0; c < count; c++)
                if (_classes[c] >= 0)
                    fresh[row * count + c] = known.Values[row * knownCount + _classes[c]];
        return fresh;
    }
}
