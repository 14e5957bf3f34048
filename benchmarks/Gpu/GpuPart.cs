namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>A part of the suite that is measured in a process of its own.</summary>
/// <param name="Id">Row of the table; null for the device's limits.</param>
/// <param name="Gpu">Number of the GPU; null for a trial on the CPU.</param>
/// <param name="InBFloat16">Precision of products.</param>
/// <param name="Scale">What tokens, width and expert width are divided by.</param>
/// <param name="Rounds">Rounds of each pair.</param>
/// <param name="Limits">The device's limits; null where they are to be measured.</param>
internal sealed record GpuPart(string? Id, int? Gpu, bool InBFloat16, int Scale, int Rounds, DeviceLimits? Limits = null)
{
    /// <summary>The device, in the part's precision.</summary>
    public TorchDevice Device => new(Gpu, InBFloat16);

    /// <inheritdoc/>
    public override string ToString() => Id is null ? "the device's limits" : $"{Id} in {Device.Precision}";
}
