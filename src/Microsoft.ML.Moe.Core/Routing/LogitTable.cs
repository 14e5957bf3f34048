using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>Router logits on the host, and the gradient of a loss of theirs in the making.</summary>
internal sealed class LogitTable
{
    private readonly float[] _logitsTE;
    private readonly double[] _probabilitiesTE;

    /// <summary>Copies the logits.</summary>
    /// <param name="logitsTE">[T, E].</param>
    /// <param name="layout">Tells tokens from padding.</param>
    public LogitTable(Tensor logitsTE, SequenceLayout layout)
    {
        (Tensor, Experts, _logitsTE) = (logitsTE, logitsTE.Columns, logitsTE.ToArray());
        Tokens = [.. Enumerable.Range(0, layout.Tokens).Where(layout.IsToken)];
        _probabilitiesTE = new double[_logitsTE.Length];
        AllGradients = new double[_logitsTE.Length];
        foreach (var token in Tokens)
            RouterScores.Softmax(Logits(token), _probabilitiesTE.AsSpan(token * Experts, Experts));
    }

    /// <summary>Where the logits come from.</summary>
    public Tensor Tensor { get; }

    /// <summary>N.</summary>
    public int Experts { get; }

    /// <summary>Rows that are tokens.</summary>
    public IReadOnlyList<int> Tokens { get; }

    /// <summary>[T, E] gradient of the loss.</summary>
    public double[] AllGradients { get; }

    /// <summary>The tokens of each sequence that has any.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Sequences(SequenceLayout layout) =>
    [
        .. Enumerable.Range(0, layout.Sequences)
            .Select(sequence => (IReadOnlyList<int>)[.. Tokens.Where(t => t >= layout.Offsets[sequence] && t < layout.Offsets[sequence + 1])])
            .Where(tokens => tokens.Count > 0),
    ];

    /// <summary>A token's logits.</summary>
    public ReadOnlySpan<float> Logits(int token) => _logitsTE.AsSpan(token * Experts, Experts);

    /// <summary>A token's probabilities.</summary>
    public ReadOnlySpan<double> Probabilities(int token) => _probabilitiesTE.AsSpan(token * Experts, Experts);

    /// <summary>Gradient of a token's logits.</summary>
    public Span<double> Gradient(int token) => AllGradients.AsSpan(token * Experts, Experts);

    /// <summary>The experts with the largest logits, in their order; of equals the lower first.</summary>
    public int[] Choices(int token, int expertsPerToken)
    {
        var logits = Logits(token).ToArray();
        return [.. Enumerable.Range(0, Experts).OrderByDescending(expert => logits[expert]).Take(expertsPerToken)];
    }

    /// <summary>Counts the choices of tokens; null for all.</summary>
    public void AddChoices(double[] counts, int expertsPerToken, IReadOnlyList<int>? tokens = null)
    {
        foreach (var token in tokens ?? Tokens)
            foreach (var expert in Choices(token, expertsPerToken))
                counts[expert]++;
    }

    /// <summary>Sums the probabilities of tokens; null for all.</summary>
    public void AddProbabilities(double[] sums, double factor, IReadOnlyList<int>? tokens = null)
    {
        foreach (var token in tokens ?? Tokens)
            for (var expert = 0; expert < Experts; expert++)
                sums[expert] += factor * Probabilities(token)[expert];
    }

    /// <summary>Adds the gradient of factor·⟨slopes, p⟩, factor·p∘(slopes − ⟨p, slopes⟩).</summary>
    public void AddSoftmaxGradient(int token, double factor, ReadOnlySpan<double> slopesE)
    {
        var p = Probabilities(token);
        var gradient = Gradient(token);
        var mean = 0.0;
        for (var e = 0; e < Experts; e++)
            mean += p[e] * slopesE[e];
        for (var e = 0; e < Experts; e++)
            gradient[e] += factor * p[e] * (slopesE[e] - mean);
    }

    /// <summary>⟨logits, gradient⟩ over all tokens.</summary>
    public double DotOfGradients()
    {
        var sum = 0.0;
        for (var i = 0; i < _logitsTE.Length; i++)
            sum += _logitsTE[i] * (double)(float)AllGradients[i];
        return sum;
    }
}
