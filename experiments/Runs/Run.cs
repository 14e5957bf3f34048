using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Experiments.Runs;

/// <summary>A run to be made.</summary>
/// <param name="Key">Which run.</param>
/// <param name="Execute">Makes it on an engine of its own and gives what was measured, by name.</param>
internal sealed record Run(RunKey Key, Func<Engine, CancellationToken, IReadOnlyDictionary<string, double>> Execute);
