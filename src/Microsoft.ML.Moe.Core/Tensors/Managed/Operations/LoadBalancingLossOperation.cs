namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>N·Σₑ fracₑ·probₑ. With p = softmax(l): dl = N/tokens·p∘(frac − ⟨p, frac⟩).</summary>
internal static unsafe class LoadBalancingLossOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor logitsTE, SequenceLayout layout)
    {
        Check.Tokens(logitsTE, layout);
        var experts = logitsTE.Columns;
        var result = tape.Result(logitsTE.RequiresGradient, 1);
        var memory = result.RequiresGradient ? tape.Memory : tape.Scratch;
        var probabilitiesTE = memory.Allocate(logitsTE.Length);
        var shares = memory.Allocate(experts);
        new Span<float>(shares, experts).Clear();
        var probabilitySums = new double[experts];
        var tokens = 0;
        for (var token = 0; token < layout.Tokens; token++)
        {
            if (!layout.IsToken(token))
                continue;
            tokens++;
            var l = logitsTE.Data + (long)token * experts;
            var p = probabilitiesTE + (long)token * experts;
            tape.Kernels.Softmax(1f, l, p, experts);
            var top = 0;
            for (var expert = 0; expert < experts; expert++)
            {
                probabilitySums[expert] += p[expert];
                if (l[expert] > l[top])
                    top = expert;
            }

            if (experts > 0)
                shares[top]++;
        }

        var loss = 0.0;
        for (var expert = 0; tokens > 0 && expert < experts; expert++)
        {
            shares[expert] /= tokens;
            loss += experts * shares[expert] * probabilitySums[expert] / tokens;
        }

        *result.Data = (float)loss;
        tape.Record(result, () => Backward(tape, logitsTE, layout, *result.Gradient * experts / Math.Max(1, tokens), probabilitiesTE, shares));
        return result;
    }

    private static void Backward(
        ManagedTape tape, ManagedTensor logitsTE, SequenceLayout layout, float factor, float* probabilitiesTE, float* shares)
    {
        var experts = logitsTE.Columns;
        var dLogits = logitsTE.GradientToAdd();
        for (var token = 0; token < layout.Tokens; token++)
        {
            var start = (long)token * experts;
            if (layout.IsToken(token))
                tape.Kernels.SoftmaxBackward(factor, probabilitiesTE + start, shares, dLogits + start, experts, true);
        }
    }
}
