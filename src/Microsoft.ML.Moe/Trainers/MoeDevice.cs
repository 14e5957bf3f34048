namespace Microsoft.ML.Moe;

/// <summary>
/// What a model is trained on. <see cref="MLContext.GpuDeviceId"/> tells which GPU; <see cref="MLContext.FallbackToCpu"/> whether the
/// CPU may take its place when it cannot be used.
/// </summary>
public enum MoeDevice
{
    /// <summary>
    /// The GPU that <see cref="MLContext.GpuDeviceId"/> names; where it names none, the first that TorchSharp can use, or else the
    /// CPU.
    /// </summary>
    Automatic,

    /// <summary>The CPU, on the managed engine.</summary>
    Cpu,

    /// <summary>The CPU, on libtorch: needs the package TorchSharp-cpu in the application. For comparisons; usually slower.</summary>
    CpuLibTorch,

    /// <summary>A GPU: the one that <see cref="MLContext.GpuDeviceId"/> names, or the first.</summary>
    Gpu,
}
