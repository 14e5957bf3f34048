namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>A non-linearity and its derivative on vectors.</summary>
internal interface IActivation
{
    static abstract TVector Value<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;

    static abstract TVector Derivative<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}
