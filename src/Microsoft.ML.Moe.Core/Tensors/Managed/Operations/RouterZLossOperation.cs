using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary><see cref="RouterZLoss"/> over the tokens of a layout.</summary>
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
        var squares = 0.0;
        var tokens = 0;
        for (var token = 0; token < layout.Tokens; token++)
        {
            if (!layout.IsToken(token))
                continue;
            tokens++;
            var start = (long)token * experts;
            logSumsT[token] = tape.Kernels.Softmax(1f, logitsTE.Data + start, probabilitiesTE + start, experts);
            squares += (double)logSumsT[token] * logSumsT[token];
        }

        *result.Data = (float)RouterZLoss.Value(squares, tokens);
        tape.Record(result, new RouterZLossOperation(logitsTE, layout, tokens, probabilitiesTE, logSumsT, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var experts = logitsTE.Columns;
        var dLogits = logitsTE.GradientToAdd();
        for (var token = 0; token < layout.Tokens; token++)
        {
            if (!layout.IsToken(token))
                continue;
            var start = (long)token * experts;
            RouterZLoss.AddGradient(
                *result.Gradient,
                logSumsT[token],
                tokens,
                new ReadOnlySpan<float>(probabilitiesTE + start, experts),
                new Span<float>(dLogits + start, experts));
        }
    }
}
