namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>N·Σₑ fracₑ·probₑ. With p = softmax(l): dl = N/tokens·p∘(frac − ⟨p, frac⟩).</summary>
internal readonly unsafe struct LoadBalancingLossOperation(
    ManagedTensor logitsTE, SequenceLayout layout, int tokens, float* probabilities, float* shares, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor logitsTE, SequenceLayout layout)
    {
        var experts = logitsTE.Columns;
        var result = tape.Result(logitsTE.RequiresGradient, 1);

        // Only tokens, not padding, have a row here.
        var memory = result.RequiresGradient ? tape.Memory : tape.Scratch;
        var probabilities = memory.Allocate(logitsTE.Length);
        var shares = memory.Allocate(experts);
        var choices = tape.Scratch.AllocateIntegers(layout.Tokens);
        var tokens = 0;
        for (var token = 0; token < layout.Tokens; token++)
        {
            if (!layout.IsToken(token))
                continue;
            var l = logitsTE.Data + (long)token * experts;
            tape.Kernels.Softmax(1f, l, probabilities + (long)tokens * experts, experts);
            choices[tokens] = 0;
            for (var expert = 1; expert < experts; expert++)
                choices[tokens] = l[expert] > l[choices[tokens]] ? expert : choices[tokens];
            tokens++;
        }

        *result.Data = Loss(
            new ReadOnlySpan<float>(probabilities, tokens * experts),
            new ReadOnlySpan<int>(choices, tokens),
            new Span<float>(shares, experts));
        tape.Record(result, new LoadBalancingLossOperation(logitsTE, layout, tokens, probabilities, shares, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var experts = logitsTE.Columns;
        var factor = *result.Gradient * experts / Math.Max(1, tokens);
        var dLogits = logitsTE.GradientToAdd();
        var p = probabilities;
        for (var token = 0; token < layout.Tokens; token++)
        {
            if (!layout.IsToken(token))
                continue;
            tape.Kernels.SoftmaxBackward(factor, p, shares, dLogits + (long)token * experts, experts, true);
            p += experts;
        }
    }

    /// <summary>The loss from router probabilities and the experts that the tokens chose first.</summary>
    /// <param name="probabilities">[tokens, N].</param>
    /// <param name="choices">One expert for each token.</param>
    /// <param name="shares">Receives each expert's share of the tokens.</param>
    /// <returns>0 when there is no token.</returns>
    internal static float Loss(ReadOnlySpan<float> probabilities, ReadOnlySpan<int> choices, Span<float> shares)
    {
        shares.Clear();
        foreach (var choice in choices)
            shares[choice] += 1f / choices.Length;
        var loss = 0.0;
        for (var i = 0; i < probabilities.Length; i++)
            loss += (double)shares[i % shares.Length] * probabilities[i];
        return choices.IsEmpty ? 0f : (float)(shares.Length * loss / choices.Length);
    }
}
