using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Heads;

/// <summary>One linear layer for each member of an ensemble, over the tokens of its own; a row's tokens are its members.</summary>
internal sealed class MemberScores
{
    /// <summary>Name of the layers, all in one matrix.</summary>
    public const string Name = "head";

    private readonly int _members;
    private readonly int _width;
    private readonly Parameter _weightKDC;
    private readonly Parameter _biasKC;

    public MemberScores(ParameterStore store, int members, int width, int scores)
    {
        (_members, _width) = (members, width);
        _weightKDC = store.Normal(Name + ".weight", ParameterRole.Weight, 0.57735f / MathF.Sqrt(width), members * width, scores);
        _biasKC = store.Constant(Name + ".bias", ParameterRole.Bias, 0f, members, scores);
    }

    /// <summary>[B·K, D] → [B·K, C].</summary>
    public Tensor Forward(Tape tape, Tensor xTD)
    {
        var rows = xTD.Shape[0] / _members;
        var scores = new Tensor[_members];
        var (tokens, weights) = (new int[rows], new int[_width]);
        for (var member = 0; member < _members; member++)
        {
            for (var row = 0; row < rows; row++)
                tokens[row] = row * _members + member;
            for (var i = 0; i < _width; i++)
                weights[i] = member * _width + i;
            scores[member] = tape.Linear(tape.Embedding(xTD, tokens), tape.Embedding(_weightKDC, weights));
        }

        var side = _members == 1 ? scores[0] : tape.Concat(scores);
        var scoresTC = tape.Reshape(side, rows * _members, _biasKC.Value.Columns);
        return tape.Add(scoresTC, tape.Embedding(_biasKC, MemberOfTokens(rows)));
    }

    /// <summary>Targets of rows, once for each of their members.</summary>
    public static T[] Repeat<T>(ReadOnlySpan<T> values, int members)
    {
        var repeated = new T[values.Length * members];
        for (var i = 0; i < values.Length; i++)
            repeated.AsSpan(i * members, members).Fill(values[i]);
        return repeated;
    }


    private int[] MemberOfTokens(int rows)
    {
        var members = new int[rows * _members];
        for (var token = 0; token < members.Length; token++)
            members[token] = token % _members;
        return members;
    }
}
