namespace Microsoft.ML.Moe.Tensors;

/// <summary>What the weight matrices of a published model are in memory once they are loaded.</summary>
public enum WeightPrecision
{
    /// <summary>Single precision, to be trained: four bytes for each weight, whatever the file has.</summary>
    Float32,

    /// <summary>
    /// As the file has them, for inference and for training beside them: matrices in bfloat16 stay where they lie in the mapped file, are read
    /// page by page when they are used, and are frozen; others become <see cref="Float32"/>. Nothing is lost.
    /// </summary>
    AsStored,

    /// <summary>
    /// As <see cref="AsStored"/>, but for the matrices of linear layers and experts, which are rounded to <see cref="ElementType.Int8"/> while
    /// they are loaded: half the memory of bfloat16, and less time for decoding. Of the managed engine alone. The loss of the small models in the
    /// tests changes by 0.1 % (median of 25), by 0.8 % at most.
    /// </summary>
    Int8,
}

/// <summary>Where a <see cref="WeightPrecision"/> can be had.</summary>
internal static class WeightPrecisions
{
    /// <summary>Checks that an engine has weights of a precision.</summary>
    /// <param name="precision">The precision.</param>
    /// <param name="engine">Where the model shall live.</param>
    /// <exception cref="ArgumentException">It has none in int8.</exception>
    public static void CheckFor(this WeightPrecision precision, Engine engine)
    {
        if (precision == WeightPrecision.Int8 && !engine.KeepsStoredMatrices)
        {
            throw new ArgumentException(
                $"Weights = {nameof(WeightPrecision.Int8)} is of the managed engine, and the model would be on another one ({engine.Description}), "
                + $"which has it in single precision: set Device = Cpu, or Weights = {nameof(WeightPrecision.AsStored)}.",
                nameof(precision));
        }
    }
}
