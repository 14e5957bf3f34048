namespace Microsoft.ML.Moe.Benchmarks.Measurement;

/// <summary>What a piece of work needs at least.</summary>
/// <param name="Flops">Floating-point operations; a multiply–add is two.</param>
/// <param name="Bytes">Bytes that are read or written at least once.</param>
/// <param name="InBFloat16">Whether factors of products are in bfloat16, for which a GPU has units of their own.</param>
internal readonly record struct Work(double Flops, double Bytes, bool InBFloat16 = false);
