namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Mean of logsumexp(l)². dl = 2/tokens·logsumexp(l)·softmax(l).</summary>
internal static unsafe class RouterZLossOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor logitsTE, SequenceLayout layout)
    {
        Check.Tokens(logitsTE, layout);
        var experts = logitsTE.Columns;
        var result = tape.Result(logitsTE.RequiresGradient, 1);
        var memory = result.RequiresGradient ? tape.Memory : tape.Scratch;
        var probabilitiesTE = memory.Allocate(logitsTE.Length);
        var logSumsT = memory.Allocate(layout.Tokens);
        var sum = 0.0;
        var tokens = 0;
        for (var token = 0; token < layout.Tokens; token++)
        {
            if (!layout.IsToken(token))
                continue;
            tokens++;
            var start = (long)token * experts;
            logSumsT[token] = tape.Kernels.Softmax(1f, logitsTE.Data + start, probabilitiesTE + start, experts);
            sum += (double)logSumsT[token] * logSumsT[token];
        }

        *result.Data = tokens == 0 ? 0f : (float)(sum / tokens);
        tape.Record(result, () => Backward(tape, logitsTE, layout, *result.Gradient * 2f / Math.Max(1, tokens), probabilitiesTE, logSumsT));
        return result;
    }

    private static void Backward(
        ManagedTape tape, ManagedTensor logitsTE, SequenceLayout layout, float factor, float* probabilitiesTE, float* logSumsT)
    {
        var experts = logitsTE.Columns;
        var dLogits = logitsTE.GradientToAdd();
        for (var token = 0; token < layout.Tokens; token++)
        {
            var start = (long)token * experts;
            if (layout.IsToken(token))
                tape.Kernels.AddScaled(factor * logSumsT[token], probabilitiesTE + start, dLogits + start, experts);
        }
    }
}
