namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Mean of logsumexp(l)². dl = 2/tokens·logsumexp(l)·softmax(l).</summary>
internal readonly unsafe struct RouterZLossOperation(
    ManagedTensor logitsTE, SequenceLayout layout, int tokens, float* probabilitiesTE, float* logSumsT, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor logitsTE, SequenceLayout layout)
    {
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
        tape.Record(result, new RouterZLossOperation(logitsTE, layout, tokens, probabilitiesTE, logSumsT, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var experts = logitsTE.Columns;
        var factor = *result.Gradient * 2f / Math.Max(1, tokens);
        var dLogits = logitsTE.GradientToAdd();
        for (var token = 0; token < layout.Tokens; token++)
        {
            var start = (long)token * experts;
            if (layout.IsToken(token))
                tape.Kernels.AddScaled(factor * logSumsT[token], probabilitiesTE + start, dLogits + start, experts);
        }
    }
}
