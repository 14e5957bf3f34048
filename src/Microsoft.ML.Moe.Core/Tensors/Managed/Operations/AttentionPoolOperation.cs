namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// For each sequence and query q: p = softmax of scores[·, q] over the tokens, y_q = Σ p_t·x_t. Gradients: dx_t += Σ_q p_tq·dy_q;
/// with g_t = ⟨dy_q, x_t⟩, dscores[·, q] = p∘(g − ⟨p, g⟩).
/// </summary>
internal static unsafe class AttentionPoolOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor xTD, ManagedTensor scoresTQ, SequenceLayout layout)
    {
        Check.Tokens(xTD, layout);
        Check.Tokens(scoresTQ, layout);
        var width = xTD.Columns;
        var queries = scoresTQ.Columns;
        var tokens = layout.Tokens;
        var result = tape.Result(
            xTD.RequiresGradient || scoresTQ.RequiresGradient, layout.Sequences, checked(queries * width));

        // Probabilities stand by query, so that those of a sequence are neighbours.
        var probabilitiesQT = (result.RequiresGradient ? tape.Memory : tape.Scratch).Allocate((long)queries * tokens);
        var kernels = tape.Kernels;
        var x = xTD.Data;
        var scores = scoresTQ.Data;
        var y = result.Data;
        tape.Workers.Run(layout.Sequences, (long)xTD.Length * queries, (sequence, _) =>
        {
            var start = layout.Offsets[sequence];
            var length = layout.Offsets[sequence + 1] - start;
            for (var query = 0; query < queries; query++)
            {
                var p = probabilitiesQT + (long)query * tokens + start;
                for (var i = 0; i < length; i++)
                    p[i] = layout.IsToken(start + i) ? scores[(long)(start + i) * queries + query] : float.NegativeInfinity;
                kernels.Softmax(1f, p, p, length);
                var sum = y + ((long)sequence * queries + query) * width;
                new Span<float>(sum, width).Clear();
                for (var i = 0; i < length; i++)
                {
                    if (layout.IsToken(start + i))
                        kernels.AddScaled(p[i], x + (long)(start + i) * width, sum, width);
                }
            }
        });
        tape.Record(result, () => Backward(tape, xTD, scoresTQ, layout, result, probabilitiesQT));
        return result;
    }

    private static void Backward(
        ManagedTape tape, ManagedTensor xTD, ManagedTensor scoresTQ, SequenceLayout layout, ManagedTensor result, float* probabilitiesQT)
    {
        var width = xTD.Columns;
        var queries = scoresTQ.Columns;
        var kernels = tape.Kernels;
        var x = xTD.Data;
        var dY = result.Gradient;
        var dX = xTD.RequiresGradient ? xTD.GradientToAdd() : null;
        var dScores = scoresTQ.RequiresGradient ? scoresTQ.GradientToAdd() : null;
        var slopesQT = tape.Scratch.Allocate((long)queries * layout.Tokens);
        tape.Workers.Run(layout.Sequences, 2L * xTD.Length * queries, (sequence, _) =>
        {
            var start = layout.Offsets[sequence];
            var length = layout.Offsets[sequence + 1] - start;
            for (var query = 0; query < queries; query++)
            {
                var p = probabilitiesQT + (long)query * layout.Tokens + start;
                var slope = slopesQT + (long)query * layout.Tokens + start;
                var dSum = dY + ((long)sequence * queries + query) * width;
                for (var i = 0; i < length; i++)
                {
                    slope[i] = 0f;
                    if (!layout.IsToken(start + i))
                        continue;
                    slope[i] = kernels.Dot(dSum, x + (long)(start + i) * width, width);
                    if (dX != null)
                        kernels.AddScaled(p[i], dSum, dX + (long)(start + i) * width, width);
                }

                if (dScores == null)
                    continue;
                kernels.SoftmaxBackward(1f, p, slope, slope, length, false);
                for (var i = 0; i < length; i++)
                    dScores[(long)(start + i) * queries + query] += slope[i];
            }
        });
    }
}
