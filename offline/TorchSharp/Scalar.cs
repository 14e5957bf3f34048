namespace TorchSharp;

public sealed class Scalar : IDisposable
{
    internal Scalar() => throw StandIn.Error;

    public static implicit operator Scalar(int value) => throw StandIn.Error;

    public static implicit operator Scalar(long value) => throw StandIn.Error;

    public static implicit operator Scalar(float value) => throw StandIn.Error;

    public static implicit operator Scalar(double value) => throw StandIn.Error;

    public void Dispose() => throw StandIn.Error;
}
