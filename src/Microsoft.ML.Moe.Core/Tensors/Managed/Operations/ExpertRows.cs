namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>What the experts make of each pair, rows at <see cref="Gemm.RowStride"/>.</summary>
internal readonly unsafe struct ExpertRows
{
    /// <summary>x·W1 + b1.</summary>
    public float* ZPF { get; private init; }

    /// <summary>x·WGate + bGate; null without gate.</summary>
    public float* GateZPF { get; private init; }

    /// <summary>gateActivation of it, at the same place where that is none; null without gate.</summary>
    public float* GatePF { get; private init; }

    /// <summary>activation(z), times the gate.</summary>
    public float* HiddenPF { get; private init; }

    /// <summary>The expert's output, not weighted.</summary>
    public float* OutPD { get; private init; }

    /// <summary>Distance of rows [P, D].</summary>
    public int WidthStride { get; private init; }

    /// <summary>Distance of rows [P, F].</summary>
    public int HiddenStride { get; private init; }

    /// <summary>Allocates room for all but the outputs.</summary>
    public static ExpertRows Allocate(Arena memory, in ExpertBatch batch, float* outPD)
    {
        var hiddenStride = Gemm.RowStride(batch.Experts.HiddenWidth);
        var hiddenLength = (long)batch.Pairs * hiddenStride;
        var gateZPF = batch.Experts.Gate is null ? null : memory.Allocate(hiddenLength);
        return new ExpertRows
        {
            WidthStride = Gemm.RowStride(batch.Experts.Width),
            HiddenStride = hiddenStride,
            ZPF = memory.Allocate(hiddenLength),
            GateZPF = gateZPF,
            GatePF = batch.Experts.GateActivation == Activation.None ? gateZPF : memory.Allocate(hiddenLength),
            HiddenPF = memory.Allocate(hiddenLength),
            OutPD = outPD,
        };
    }
}
