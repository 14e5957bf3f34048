using Microsoft.ML.Moe.Benchmarks.Measurement;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>What was measured, and where.</summary>
/// <param name="Device">The device and TorchSharp's version.</param>
/// <param name="IsTrial">Whether it was the CPU, so that nothing is a figure of a GPU.</param>
/// <param name="Scale">What tokens, width and expert width were divided by.</param>
/// <param name="Limits">What the device can do at most.</param>
/// <param name="Figures">The figures.</param>
internal sealed record GpuReport(string Device, bool IsTrial, int Scale, DeviceLimits Limits, IReadOnlyList<Figure> Figures);
