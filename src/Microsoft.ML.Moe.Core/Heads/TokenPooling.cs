using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Heads;

/// <summary>Pools the vectors of each sequence's tokens by any <see cref="TextPooling"/>.</summary>
internal static class TokenPooling
{
    /// <summary>Pools, by several ways side by side.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="xTD">[T, D].</param>
    /// <param name="layout">Sequences within T; padding takes no part.</param>
    /// <param name="ways">M ways, in their order.</param>
    /// <returns>[B, M·D]; zeros for a sequence without tokens, but for the first token, which is then that of the row.</returns>
    public static Tensor Of(Tape tape, Tensor xTD, SequenceLayout layout, IReadOnlyList<TextPooling> ways)
    {
        Tensor[] pooled = [.. ways.Select(way => Of(tape, xTD, layout, way))];
        return pooled.Length == 1 ? pooled[0] : tape.Concat(pooled);
    }

    /// <summary>The layout without the first tokens of each sequence: they stay where they are, as padding.</summary>
    /// <param name="layout">The layout.</param>
    /// <param name="tokens">How many of each sequence.</param>
    public static SequenceLayout Without(SequenceLayout layout, int tokens)
    {
        if (tokens == 0)
            return layout;
        var isToken = new bool[layout.Tokens];
        var offsets = layout.Offsets;
        for (var sequence = 0; sequence < layout.Sequences; sequence++)
            for (var row = offsets[sequence] + tokens; row < offsets[sequence + 1]; row++)
                isToken[row] = layout.IsToken(row);
        return new SequenceLayout(offsets.ToArray(), isToken);
    }

    private static Tensor Of(Tape tape, Tensor xTD, SequenceLayout layout, TextPooling way) => way switch
    {
        TextPooling.FirstToken => tape.Embedding(xTD, Rows(layout, layout.Offsets[..^1], first: true)),
        TextPooling.Max => tape.MaxPool(xTD, layout),
        TextPooling.Mean => tape.MeanPool(xTD, layout),
        TextPooling.MeanSquareRootLength => Scaled(tape, tape.MeanPool(xTD, layout), [.. TokensOf(layout).Select(n => MathF.Sqrt(n))]),
        TextPooling.WeightedMean => tape.AttentionPool(xTD, LogPositions(tape, layout), layout),
        TextPooling.LastToken => LastToken(tape, xTD, layout),
        _ => throw new ArgumentOutOfRangeException(nameof(way), way, "There is no such pooling."),
    };

    private static Tensor LastToken(Tape tape, Tensor xTD, SequenceLayout layout)
    {
        var states = tape.Embedding(xTD, Rows(layout, layout.Offsets[..^1], first: false));
        var tokens = TokensOf(layout);
        return tokens.Contains(0) ? Scaled(tape, states, [.. tokens.Select(n => n > 0 ? 1f : 0f)]) : states;
    }

    /// <summary>Of each sequence the first or last row that is a token, or one that is given.</summary>
    private static int[] Rows(SequenceLayout layout, ReadOnlySpan<int> otherwise, bool first)
    {
        var rows = otherwise.ToArray();
        for (var sequence = 0; sequence < rows.Length; sequence++)
        {
            var (start, end) = (layout.Offsets[sequence], layout.Offsets[sequence + 1]);
            for (var i = 0; i < end - start; i++)
            {
                var row = first ? start + i : end - 1 - i;
                if (!layout.IsToken(row))
                    continue;
                rows[sequence] = row;
                break;
            }
        }

        return rows;
    }

    private static int[] TokensOf(SequenceLayout layout)
    {
        var counts = new int[layout.Sequences];
        for (var sequence = 0; sequence < counts.Length; sequence++)
            for (var row = layout.Offsets[sequence]; row < layout.Offsets[sequence + 1]; row++)
                counts[sequence] += layout.IsToken(row) ? 1 : 0;
        return counts;
    }

    /// <summary>[T, 1]: the logarithm of each token's position, whose softmax is the position's share of their sum.</summary>
    private static Tensor LogPositions(Tape tape, SequenceLayout layout)
    {
        var logs = new float[layout.Tokens];
        for (var sequence = 0; sequence < layout.Sequences; sequence++)
        {
            var start = layout.Offsets[sequence];
            for (var row = start; row < layout.Offsets[sequence + 1]; row++)
                logs[row] = MathF.Log(row - start + 1);
        }

        return tape.Constant(logs, logs.Length, 1);
    }

    private static Tensor Scaled(Tape tape, Tensor xBD, float[] factors)
    {
        var all = new float[xBD.Length];
        for (var row = 0; row < factors.Length; row++)
            all.AsSpan(row * xBD.Columns, xBD.Columns).Fill(factors[row]);
        return tape.Multiply(xBD, tape.Constant(all, xBD.Shape));
    }
}
