namespace Microsoft.ML.Moe.Experiments.Runs;

/// <summary>A finished run: one line of the log.</summary>
/// <param name="Key">Which run.</param>
/// <param name="Values">What was measured, by name.</param>
/// <param name="Seconds">Wall-clock time of the run.</param>
internal sealed record RunResult(RunKey Key, IReadOnlyDictionary<string, double> Values, double Seconds);
