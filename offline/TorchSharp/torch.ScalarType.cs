namespace TorchSharp;

public static partial class torch
{
    public enum ScalarType : sbyte
    {
        Float32 = 6,
        BFloat16 = 15,
    }
}
