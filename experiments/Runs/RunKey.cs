namespace Microsoft.ML.Moe.Experiments.Runs;

/// <summary>What tells a run from all others.</summary>
/// <param name="Study">What kind of run it is; studies that need the same runs share the name.</param>
/// <param name="Data">Data set.</param>
/// <param name="Arm">What is compared.</param>
/// <param name="Seed">Seed of the run.</param>
/// <param name="Settings">Everything else that a result depends on and that may differ between two calls of the program.</param>
internal sealed record RunKey(string Study, string Data, string Arm, int Seed, string Settings);
