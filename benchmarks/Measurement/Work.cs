namespace Microsoft.ML.Moe.Benchmarks.Measurement;

/// <summary>What a piece of work needs at least.</summary>
/// <param name="Flops">Floating-point operations; a multiply–add is two.</param>
/// <param name="Bytes">Bytes that are read or written at least once.</param>
internal readonly record struct Work(double Flops, double Bytes);
