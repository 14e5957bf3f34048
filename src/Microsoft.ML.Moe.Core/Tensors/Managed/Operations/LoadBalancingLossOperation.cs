using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary><see cref="LoadBalancingLoss"/> over the tokens of a layout. Only tokens, not padding, have a row of probabilities.</summary>
internal readonly unsafe struct LoadBalancingLossOperation(
    ManagedTensor logitsTE, SequenceLayout layout, int tokens, float* probabilities, long* firstChoices, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor logitsTE, SequenceLayout layout)
    {
        var experts = logitsTE.Columns;
        var result = tape.Result(logitsTE.RequiresGradient, 1);
        var memory = result.RequiresGradient ? tape.Memory : tape.Scratch;
        var probabilities = memory.Allocate(logitsTE.Length);
        var firstChoices = (long*)memory.Allocate(2L * experts);
        var sums = (double*)tape.Scratch.Allocate(2L * experts);
        new Span<long>(firstChoices, experts).Clear();
        new Span<double>(sums, experts).Clear();
        var tokens = 0;
        for (var token = 0; token < layout.Tokens; token++)
        {
            if (!layout.IsToken(token))
                continue;
            var l = logitsTE.Data + (long)token * experts;
            var p = probabilities + (long)tokens++ * experts;
            tape.Kernels.Softmax(1f, l, p, experts);
            for (var expert = 0; expert < experts; expert++)
                sums[expert] += p[expert];
            firstChoices[LoadBalancingLoss.FirstChoice(new ReadOnlySpan<float>(l, experts))]++;
        }

        *result.Data = (float)LoadBalancingLoss.Value(
            new ReadOnlySpan<long>(firstChoices, experts), new ReadOnlySpan<double>(sums, experts), tokens);
        tape.Record(result, new LoadBalancingLossOperation(logitsTE, layout, tokens, probabilities, firstChoices, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var experts = logitsTE.Columns;
        var dLogits = logitsTE.GradientToAdd();
        var choices = new ReadOnlySpan<long>(firstChoices, experts);
        var p = probabilities;
        for (var token = 0; token < layout.Tokens; token++)
        {
            if (!layout.IsToken(token))
                continue;
            var dLogitsE = new Span<float>(dLogits + (long)token * experts, experts);
            LoadBalancingLoss.AddGradient(*result.Gradient, choices, tokens, new ReadOnlySpan<float>(p, experts), dLogitsE);
            p += experts;
        }
    }
}
