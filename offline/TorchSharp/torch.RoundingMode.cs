namespace TorchSharp;

public static partial class torch
{
    public enum RoundingMode
    {
        None = 0,
        floor = 2,
    }
}
