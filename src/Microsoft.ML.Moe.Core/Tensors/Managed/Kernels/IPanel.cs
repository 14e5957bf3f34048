namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>How a row of a second factor's panel is stored.</summary>
internal unsafe interface IPanel
{
    /// <summary>Loads a row: one or two vectors of neighbouring columns.</summary>
    /// <typeparam name="TSimd">The vector's operations.</typeparam>
    /// <typeparam name="TVector">The vector type.</typeparam>
    /// <typeparam name="TVectors">How many vectors.</typeparam>
    static abstract void Load<TSimd, TVector, TVectors>(float* source, out TVector first, out TVector second)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TVectors : struct, IConstant;
}
