namespace TorchSharp;

public sealed class DisposeScope : IDisposable
{
    internal DisposeScope() => throw StandIn.Error;

    public void Dispose() => throw StandIn.Error;
}
