using System.Buffers;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// The objective of multinomial logistic regression with an L2 penalty, its gradient, and products with its Hessian: the weighted mean
/// over rows of −ln softmax(xW)[label], plus ½ Σ p_v W²_vc. Rows are worked on in parts that bound the memory.
/// </summary>
internal sealed class SoftmaxRegression
{
    private const int RowBlock = 64;
    private const int ColumnBlock = 256;

    /// <summary>Values of a part's table of rows × classes at most.</summary>
    public const int MostPartValues = 1 << 23;

    /// <summary>Probabilities kept from one evaluation for Hessian products at most; beyond they are computed again.</summary>
    public const long MostKeptValues = 1L << 27;

    private readonly ParallelBlocks _blocks;
    private readonly float[] _penalties;
    private readonly int[] _labels;
    private readonly float[] _weights;
    private readonly int _classes;
    private readonly int _stride;
    private readonly List<Part> _parts = [];
    private readonly float[] _terms;

    /// <summary>Prepares it.</summary>
    /// <param name="x">Rows.</param>
    /// <param name="labels">Class of each row, within [0, C).</param>
    /// <param name="weights">Weight of each row, at least 0 and not all 0.</param>
    /// <param name="classes">Number of classes, C.</param>
    /// <param name="penalties">Penalty of each column of <paramref name="x"/>, over 0.</param>
    /// <param name="threads">Threads at most.</param>
    /// <param name="partValues">See <see cref="MostPartValues"/>.</param>
    /// <param name="keptValues">See <see cref="MostKeptValues"/>.</param>
    public SoftmaxRegression(
        SparseRows x,
        ReadOnlySpan<int> labels,
        ReadOnlySpan<float> weights,
        int classes,
        float[] penalties,
        int threads,
        int partValues = MostPartValues,
        long keptValues = MostKeptValues)
    {
        _blocks = new ParallelBlocks(threads);
        (_penalties, _classes, _stride) = (penalties, classes, Gather.Stride(classes));
        _labels = labels.ToArray();
        _weights = new float[x.Count];
        var sum = 0.0;
        foreach (var weight in weights)
            sum += weight;
        for (var i = 0; i < _weights.Length; i++)
            _weights[i] = (float)(weights[i] / sum);
        var partRows = Math.Max(RowBlock, partValues / _stride);
        var isKept = (long)x.Count * _stride <= keptValues;
        for (var start = 0; start < x.Count; start += partRows)
        {
            var rows = start == 0 && x.Count <= partRows
                ? x
                : x.Select([.. Enumerable.Range(start, Math.Min(partRows, x.Count - start))]);
            _parts.Add(new Part(start, rows, rows.Transpose(), isKept ? new float[rows.Count * _stride] : null));
        }

        _terms = new float[Math.Min(partRows, x.Count) * _stride];
    }

    /// <summary>Values of a table of weights: columns of the rows × classes, each row filled up with zeros.</summary>
    public int Length => _penalties.Length * _stride;

    /// <summary>For work on tables of weights.</summary>
    public ParallelBlocks Blocks => _blocks;

    /// <summary>The objective.</summary>
    /// <param name="w">Weights.</param>
    /// <param name="gradient">Receives the gradient, unless null.</param>
    public double Evaluate(float[] w, float[]? gradient)
    {
        if (gradient is not null)
            Penalise(w, gradient);
        var loss = 0.0;
        foreach (var part in _parts)
        {
            loss += _blocks.Sum(part.Rows.Count, RowBlock, (start, end) => Losses(part, w, start, end, gradient is not null));
            if (gradient is not null)
                AddBack(part, gradient, isSquared: false);
        }

        return loss + _blocks.Sum(_penalties.Length, ColumnBlock, (start, end) =>
        {
            var sum = 0.0;
            for (var v = start; v < end; v++)
                sum += 0.5 * _penalties[v] * ParallelBlocks.SumOfProducts(w.AsSpan(v * _stride, _stride), w.AsSpan(v * _stride, _stride));
            return sum;
        });
    }

    /// <summary>The Hessian, at the weights of the last gradient, times a direction.</summary>
    /// <param name="w">Those weights.</param>
    /// <param name="direction">The direction.</param>
    /// <param name="product">Receives the product.</param>
    public void Curve(float[] w, float[] direction, float[] product)
    {
        Penalise(direction, product);
        foreach (var part in _parts)
        {
            _blocks.Sum(part.Rows.Count, RowBlock, (start, end) =>
            {
                for (var i = start; i < end; i++)
                    CurveRow(part, w, direction, i);
                return 0;
            });
            AddBack(part, product, isSquared: false);
        }
    }

    /// <summary>The diagonal of the Hessian at the weights of the last gradient.</summary>
    /// <param name="w">Those weights.</param>
    /// <param name="diagonal">Receives it.</param>
    public void Diagonal(float[] w, float[] diagonal)
    {
        _blocks.Over(_penalties.Length, (start, end) =>
        {
            for (var v = start; v < end; v++)
                diagonal.AsSpan(v * _stride, _stride).Fill(_penalties[v]);
        });
        foreach (var part in _parts)
        {
            _blocks.Sum(part.Rows.Count, RowBlock, (start, end) =>
            {
                for (var i = start; i < end; i++)
                {
                    var terms = TermsOf(i);
                    ProbabilitiesOf(part, w, i, terms);
                    foreach (ref var term in terms[.._classes])
                        term = _weights[part.Start + i] * term * (1f - term);
                }

                return 0;
            });
            AddBack(part, diagonal, isSquared: true);
        }
    }

    private double Losses(Part part, float[] w, int start, int end, bool needsGradient)
    {
        var loss = 0.0;
        for (var i = start; i < end; i++)
        {
            var (label, weight) = (_labels[part.Start + i], _weights[part.Start + i]);
            var terms = TermsOf(i);
            Score(part.Rows, w, i, terms);
            loss += weight * LossToProbabilities(terms[.._classes], label);
            if (!needsGradient)
                continue;
            if (part.Probabilities is not null)
                terms.CopyTo(part.Probabilities.AsSpan(i * _stride));
            terms[label] -= 1f;
            foreach (ref var term in terms[.._classes])
                term *= weight;
        }

        return loss;
    }

    private void CurveRow(Part part, float[] w, float[] direction, int i)
    {
        var terms = TermsOf(i);
        float[]? rented = null;
        if (part.Probabilities is null)
        {
            ProbabilitiesOf(part, w, i, terms);
            rented = ArrayPool<float>.Shared.Rent(_classes);
            terms[.._classes].CopyTo(rented);
        }

        var p = rented is null ? part.Probabilities.AsSpan(i * _stride, _classes) : rented.AsSpan(0, _classes);
        Score(part.Rows, direction, i, terms);
        var mean = 0f;
        for (var c = 0; c < p.Length; c++)
            mean += p[c] * terms[c];
        for (var c = 0; c < p.Length; c++)
            terms[c] = _weights[part.Start + i] * p[c] * (terms[c] - mean);
        if (rented is not null)
            ArrayPool<float>.Shared.Return(rented);
    }

    private void ProbabilitiesOf(Part part, float[] w, int i, Span<float> probabilities)
    {
        if (part.Probabilities is not null)
        {
            part.Probabilities.AsSpan(i * _stride, _stride).CopyTo(probabilities);
            return;
        }

        Score(part.Rows, w, i, probabilities);
        LossToProbabilities(probabilities[.._classes], 0);
    }

    private Span<float> TermsOf(int i) => _terms.AsSpan(i * _stride, _stride);

    private static void Score(SparseRows rows, float[] w, int i, Span<float> scores)
    {
        scores.Clear();
        Gather.Add(w, rows.IndicesOf(i), rows.ValuesOf(i), scores);
    }

    /// <summary>Turns scores into probabilities.</summary>
    /// <returns>−ln of the label's.</returns>
    private static double LossToProbabilities(Span<float> scores, int label)
    {
        var ofLabel = scores[label];
        var (largest, sum) = Softmax.Of(scores);
        return Math.Log(sum) - (ofLabel - largest);
    }

    private void Penalise(float[] w, float[] result) => _blocks.Run((_penalties.Length + ColumnBlock - 1) / ColumnBlock, block =>
    {
        for (var v = block * ColumnBlock; v < Math.Min(_penalties.Length, (block + 1) * ColumnBlock); v++)
            FloatVectors.Scale(w.AsSpan(v * _stride, _stride), _penalties[v], result.AsSpan(v * _stride, _stride));
    });

    /// <summary>Adds the transposed part times the rows' terms.</summary>
    private void AddBack(Part part, float[] result, bool isSquared) => _blocks.Run(
        (_penalties.Length + ColumnBlock - 1) / ColumnBlock,
        block =>
        {
            for (var v = block * ColumnBlock; v < Math.Min(_penalties.Length, (block + 1) * ColumnBlock); v++)
            {
                var values = part.Columns.ValuesOf(v);
                if (isSquared)
                {
                    var squares = new float[values.Length];
                    for (var i = 0; i < squares.Length; i++)
                        squares[i] = values[i] * values[i];
                    values = squares;
                }

                Gather.Add(_terms, part.Columns.IndicesOf(v), values, result.AsSpan(v * _stride, _stride));
            }
        });

    private sealed record Part(int Start, SparseRows Rows, SparseRows Columns, float[]? Probabilities);
}
