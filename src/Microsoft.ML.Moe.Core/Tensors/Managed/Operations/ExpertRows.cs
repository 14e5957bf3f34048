namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>What the experts make of each pair, rows at the strides of <see cref="ExpertBatch"/>.</summary>
internal sealed unsafe class ExpertRows
{
    /// <summary>x·W1 + b1.</summary>
    public float* ZPF { get; private init; }

    /// <summary>x·WGate; null without gate.</summary>
    public float* GatePF { get; private init; }

    /// <summary>activation(z), times the gate.</summary>
    public float* HiddenPF { get; private init; }

    /// <summary>The expert's output, not weighted.</summary>
    public float* OutPD { get; private init; }

    /// <summary>Allocates; z and activation(z) share their place unless the gradient needs both.</summary>
    public static ExpertRows Allocate(Arena memory, ExpertBatch batch, bool keep)
    {
        var hiddenLength = (long)batch.Pairs * batch.HiddenStride;
        var z = memory.Allocate(hiddenLength);
        return new ExpertRows
        {
            ZPF = z,
            GatePF = batch.Experts.Gate is null ? null : memory.Allocate(hiddenLength),
            HiddenPF = keep ? memory.Allocate(hiddenLength) : z,
            OutPD = memory.Allocate((long)batch.Pairs * batch.WidthStride),
        };
    }
}
