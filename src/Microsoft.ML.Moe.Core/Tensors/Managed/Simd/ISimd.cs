namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// The operations on a vector of floats that the kernels are written in. Kernels are generic over this, so that one source serves
/// 512-, 256- and 128-bit registers; on hardware without any, .NET's own scalar fall-back of <c>Vector128</c> runs.
/// </summary>
/// <typeparam name="TVector">The vector type.</typeparam>
internal unsafe interface ISimd<TVector>
    where TVector : struct
{
    /// <summary>Floats in a vector.</summary>
    static abstract int Count { get; }

    /// <summary>Whether the processor has 32 vector registers of this width, not 16.</summary>
    static abstract bool HasManyRegisters { get; }

    static abstract TVector Load(float* source);

    /// <summary>Loads fewer floats than a vector holds; the others are those of <paramref name="rest"/>.</summary>
    static abstract TVector LoadFirst(float* source, int count, TVector rest = default);

    static abstract void Store(TVector x, float* destination);

    /// <summary>Stores fewer floats than a vector holds.</summary>
    static abstract void StoreFirst(TVector x, float* destination, int count);

    /// <summary>Loads two vectors from the memory of one, where <see cref="StoreBFloat16"/> has put them.</summary>
    static abstract void LoadBFloat16(float* source, out TVector first, out TVector second);

    /// <summary>
    /// Rounds two vectors to the nearest bfloat16 (of two, to the even one) and stores both in the memory of one: each 32 bits hold
    /// an element of the first vector below and one of the second above. What is not a number stays so.
    /// </summary>
    static abstract void StoreBFloat16(TVector first, TVector second, float* destination);

    /// <summary>Loads two vectors of bfloat16 numbers that lie one after the other.</summary>
    static abstract void WidenBFloat16(ushort* source, out TVector first, out TVector second);

    /// <summary>Loads two vectors of int8 numbers that lie one after the other.</summary>
    static abstract void WidenInt8(sbyte* source, out TVector first, out TVector second);

    static abstract TVector Create(float x);

    /// <summary>As <see cref="Create"/>, of a float in memory: the load itself repeats it, which leaves the units that multiply free.</summary>
    static abstract TVector Broadcast(in float source);

    static abstract TVector Add(TVector x, TVector y);

    static abstract TVector Subtract(TVector x, TVector y);

    static abstract TVector Multiply(TVector x, TVector y);

    /// <summary>x·y + z, fused where the hardware does.</summary>
    static abstract TVector MultiplyAdd(TVector x, TVector y, TVector z);

    static abstract TVector Divide(TVector x, TVector y);

    static abstract TVector Sqrt(TVector x);

    static abstract TVector Abs(TVector x);

    static abstract TVector Round(TVector x);

    /// <summary>The smaller; <paramref name="y"/> where it is not a number.</summary>
    static abstract TVector Min(TVector x, TVector y);

    /// <summary>The larger; <paramref name="y"/> where it is not a number.</summary>
    static abstract TVector Max(TVector x, TVector y);

    /// <summary>x &lt; y ? less : otherwise.</summary>
    static abstract TVector SelectLess(TVector x, TVector y, TVector less, TVector otherwise);

    /// <summary>x·2ⁿ for whole n within [−126, 127]; infinite for 128 and a positive x.</summary>
    static abstract TVector Scale(TVector x, TVector n);

    static abstract float Sum(TVector x);

    static abstract float MaxAcross(TVector x);

    /// <summary>
    /// For elements first, first + step, …: <paramref name="x"/> where the element's random number is at least
    /// <paramref name="threshold"/> of 2³², else 0.
    /// </summary>
    static abstract TVector Keep(TVector x, uint first, uint step, uint key, uint threshold);
}
