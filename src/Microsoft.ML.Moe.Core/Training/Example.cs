using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>A training row.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
/// <param name="Input">The row, encoded by the trainer's input.</param>
/// <param name="Target">What the model is to learn of it: for classes the class number, within [0, C).</param>
/// <param name="Weight">Weight of the row in the loss, at least 0.</param>
public readonly record struct Example<TRow>(TRow Input, float Target, float Weight = 1f);

/// <summary>Targets and weights of a batch, in memory that is used again.</summary>
internal sealed class Targets
{
    private float[] _values = [];
    private int[] _classes = [];
    private float[] _weights = [];

    /// <summary>Number of rows, B.</summary>
    public int Count { get; private set; }

    /// <summary>Targets of the rows.</summary>
    public ReadOnlySpan<float> Values => _values.AsSpan(0, Count);

    /// <summary>Targets of the rows as class numbers.</summary>
    public ReadOnlySpan<int> Classes => _classes.AsSpan(0, Count);

    /// <summary>Weights of the rows.</summary>
    public ReadOnlySpan<float> Weights => _weights.AsSpan(0, Count);

    /// <summary>The weight of each of some tokens: that of its row.</summary>
    /// <param name="layout">Where each row's tokens lie.</param>
    /// <param name="tokens">Numbers of the tokens, ascending.</param>
    /// <returns>A weight for each; none where all rows have the same.</returns>
    public float[] WeightsOfTokens(SequenceLayout layout, ReadOnlySpan<int> tokens)
    {
        if (Count == 0 || !Weights.ContainsAnyExcept(Weights[0]))
            return [];
        return WeightOfEachToken(layout, tokens);
    }

    /// <summary>The weight of each of some tokens: that of its row.</summary>
    /// <param name="layout">Where each row's tokens lie.</param>
    /// <param name="tokens">Numbers of the tokens, ascending.</param>
    public float[] WeightOfEachToken(SequenceLayout layout, ReadOnlySpan<int> tokens)
    {
        var weights = new float[tokens.Length];
        var row = 0;
        for (var i = 0; i < tokens.Length; i++)
        {
            while (tokens[i] >= layout.Offsets[row + 1])
                row++;
            weights[i] = Weights[row];
        }

        return weights;
    }

    /// <summary>Begins another batch.</summary>
    /// <param name="rows">Most rows that it will have.</param>
    public void Begin(int rows)
    {
        Count = 0;
        if (_values.Length >= rows)
            return;
        (_values, _classes, _weights) = (new float[rows], new int[rows], new float[rows]);
    }

    /// <summary>Adds a row.</summary>
    public void Add(float target, float weight)
    {
        (_values[Count], _classes[Count], _weights[Count]) = (target, (int)target, weight);
        Count++;
    }
}
