namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// For each sequence and query q: p = softmax of scores[·, q] over the tokens, y_q = Σ p_t·x_t. Gradients: dx_t += Σ_q p_tq·dy_q;
/// with g_t = ⟨dy_q, x_t⟩, dscores[·, q] = p∘(g − ⟨p, g⟩).
/// </summary>
internal readonly unsafe struct AttentionPoolOperation(
    ManagedTensor xTD, ManagedTensor scoresTQ, SequenceLayout layout, float* probabilitiesQT, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor xTD, ManagedTensor scoresTQ, SequenceLayout layout)
    {
        var (width, queries) = (xTD.Columns, scoresTQ.Columns);
        var result = tape.Result(
            xTD.RequiresGradient || scoresTQ.RequiresGradient, layout.Sequences, checked(queries * width));

        // Probabilities stand by query, so that those of a sequence are neighbours.
        var probabilitiesQT = (result.RequiresGradient ? tape.Memory : tape.Scratch).Allocate((long)queries * layout.Tokens);
        var body = new Sums(tape.Kernels, layout, width, queries, xTD.Data, scoresTQ.Data, probabilitiesQT, result.Data);
        tape.Workers.Run(layout.Sequences, (long)xTD.Length * queries, body);
        tape.Record(result, new AttentionPoolOperation(xTD, scoresTQ, layout, probabilitiesQT, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var queries = scoresTQ.Columns;
        var dX = xTD.RequiresGradient ? xTD.GradientToAdd() : null;
        var dScores = scoresTQ.RequiresGradient ? scoresTQ.GradientToAdd() : null;
        var slopesQT = tape.Scratch.Allocate((long)queries * layout.Tokens);
        var body = new Gradient(
            tape.Kernels, layout, xTD.Columns, queries, xTD.Data, probabilitiesQT, result.Gradient, slopesQT, dX, dScores);
        tape.Workers.Run(layout.Sequences, 2L * xTD.Length * queries, body);
    }

    private readonly struct Sums(
        Kernels kernels, SequenceLayout layout, int width, int queries, float* x, float* scores, float* probabilitiesQT, float* y)
        : ILoopBody
    {
        public void Run(int sequence, int worker)
        {
            var start = layout.Offsets[sequence];
            var length = layout.Offsets[sequence + 1] - start;
            for (var query = 0; query < queries; query++)
            {
                var p = probabilitiesQT + (long)query * layout.Tokens + start;
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
        }
    }

    private readonly struct Gradient(
        Kernels kernels,
        SequenceLayout layout,
        int width,
        int queries,
        float* x,
        float* probabilitiesQT,
        float* dY,
        float* slopesQT,
        float* dX,
        float* dScores) : ILoopBody
    {
        public void Run(int sequence, int worker)
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
        }
    }
}
