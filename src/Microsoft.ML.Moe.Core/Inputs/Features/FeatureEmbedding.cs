using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Tokens of a row of features, one for each member of an ensemble (Gorishniy et al. 2025, "TabM", section 3, its smallest form): a number
/// becomes a vector, a straight line in the scaled number plus a piecewise-linear function of it (Gorishniy et al. 2022); each member
/// multiplies all columns by factors of its own, and one layer makes its token of them.
/// </summary>
internal sealed class FeatureEmbedding : TokenEmbedding
{
    /// <summary>Deviation of numbers that are uniformly distributed within ±1.</summary>
    private const float UniformDeviation = 0.57735f;

    private readonly FeatureInputConfig _config;
    private readonly IndicatorColumns _indicators;
    private readonly Parameter? _affine;
    private readonly Parameter? _slopes;
    private readonly Parameter? _table;
    private readonly Parameter _factorsKI;
    private readonly Linear _stem;
    private readonly float[] _triangle;
    private readonly float _dropout;
    private readonly int _columns;
    private readonly int[] _otherColumns = [];
    private readonly int[] _otherFactors = [];

    public FeatureEmbedding(ParameterStore store, FeatureInputConfig config, IndicatorColumns indicators, EncoderConfig encoder)
    {
        (_config, _indicators) = (config, indicators);
        _dropout = encoder.Dropout;
        var (numbers, width, edges) = (config.Numbers.Length, config.EmbeddingWidth, config.Edges);
        if (config.EmbeddedColumns > 0)
            _affine = store.Normal("numbers.affine", ParameterRole.Bias, UniformDeviation, 2 * numbers, width);
        if (edges > 0)
            _slopes = store.Constant("numbers.steps", ParameterRole.Weight, 0f, edges - 1, numbers * width);
        if (config.TableSlots.Length > 0)
            _table = store.Normal("slots.table", ParameterRole.Embedding, 1f / MathF.Sqrt(encoder.Width), config.TableSlots.Length, encoder.Width);
        var (embedded, direct) = (config.EmbeddedColumns, config.DirectColumns);
        _columns = embedded + direct + (_table is null ? 0 : encoder.Width);
        _factorsKI = store.Normal("members.factors", ParameterRole.Bias, 1f, config.Members, _columns);
        _stem = new Linear(store, "stem", _columns, encoder.Width, Activation.Relu);
        _triangle = Triangle(edges);
        if (indicators.Columns.Length == 0)
            return;
        _otherColumns =
        [
            .. Enumerable.Range(0, embedded),
            .. indicators.Others.Select(column => embedded + column),
            .. Enumerable.Range(embedded + direct, _columns - embedded - direct),
        ];
        _otherFactors = [.. Enumerable.Range(0, config.Members).SelectMany(member => _otherColumns.Select(column => member * _columns + column))];
    }

    /// <inheritdoc/>
    public override Tensor Forward(ForwardContext context, Batch batch)
    {
        var (tape, features) = (context.Tape, (FeatureBatch)batch);
        var parts = new List<Tensor>(3);
        if (_affine is not null)
            parts.Add(Numbers(tape, features));
        var hasIndicators = features.Indicators.Count > 0;
        if ((hasIndicators ? _indicators.Others.Length : _config.DirectColumns) is > 0 and var direct)
            parts.Add(tape.Constant(features.Direct, features.Rows, direct));
        if (_table is not null)
            parts.Add(tape.EmbeddingBag(_table, features.Table));
        var xBI = parts.Count == 1 ? parts[0] : tape.Concat([.. parts]);
        var states = hasIndicators
            ? _stem.Forward(tape, OfMembers(OtherFactors(tape)), _otherColumns, Indicators(tape, features))
            : _stem.Forward(tape, OfMembers(_factorsKI));
        return tape.Dropout(states, _dropout);

        Tensor OfMembers(Tensor factorsKI) => tape.Multiply(tape.Embedding(xBI, features.RowOfTokens), tape.Embedding(factorsKI, features.Members));
    }

    /// <summary>
    /// What the indicators add to each token's product, [T, D]: the rows of the stem's weights that its row has, times the members' factors. Most are
    /// zeros, and multiplying zeros takes as long as anything else.
    /// </summary>
    private Tensor Indicators(Tape tape, FeatureBatch features)
    {
        var bags = features.Indicators;
        var places = bags.Indices.ToArray();
        for (var token = 0; token < bags.Count; token++)
            for (var entry = bags.Offsets[token]; entry < bags.Offsets[token + 1]; entry++)
                places[entry] += features.Members[token] * _columns;
        return _stem.Sums(tape, bags, tape.Reshape(Factors(tape, places), places.Length));
    }

    /// <summary>The members' factors of all columns but the indicators, [K, columns].</summary>
    private Tensor OtherFactors(Tape tape) => tape.Reshape(Factors(tape, _otherFactors), _config.Members, _otherColumns.Length);

    /// <summary>Factors of members, by their places in [K, columns].</summary>
    private Tensor Factors(Tape tape, int[] places) => tape.Embedding(tape.Reshape(_factorsKI, _factorsKI.Value.Length, 1), places);

    /// <summary>Vectors of all numbers of a row, side by side.</summary>
    private Tensor Numbers(Tape tape, FeatureBatch features)
    {
        var vectors = tape.EmbeddingBag(_affine!, features.Affine);
        if (_slopes is not null)
        {
            // values of the functions at each edge, of which a number's are an interpolation: steps up to there
            var atEdges = tape.Linear(tape.Constant(_triangle, _config.Edges, _config.Edges - 1), _slopes);
            var table = tape.Reshape(atEdges, _config.Edges * _config.Numbers.Length, _config.EmbeddingWidth);
            vectors = tape.Add(vectors, tape.EmbeddingBag(table, features.Edges));
        }

        return tape.Reshape(vectors, features.Rows, _config.EmbeddedColumns);
    }

    /// <summary>[edges, edges − 1]: row i sums the first i steps.</summary>
    private static float[] Triangle(int edges)
    {
        if (edges == 0)
            return [];
        var triangle = new float[edges * (edges - 1)];
        for (var edge = 0; edge < edges; edge++)
            triangle.AsSpan(edge * (edges - 1), edge).Fill(1f);
        return triangle;
    }
}
