namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>bfloat16, the upper half of a float: constants of the conversion.</summary>
internal static class BFloat16
{
    /// <summary>What a float keeps.</summary>
    public const uint Mask = 0xFFFF0000;

    /// <summary>The largest rest that is rounded down; with the last bit kept added, also half for an even one.</summary>
    public const uint BelowHalf = 0x7FFF;

    /// <summary>Makes sure that a float that is not a number is none either without its lower half.</summary>
    public const uint QuietBit = 0x00400000;
}
