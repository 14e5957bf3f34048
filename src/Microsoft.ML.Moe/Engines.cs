using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe;

/// <summary>Chooses where models live.</summary>
internal static class Engines
{
    /// <summary>Creates an engine.</summary>
    /// <param name="threads">Worker threads; null uses all processors.</param>
    public static Engine Create(int? threads) => new ManagedEngine(threads);
}
