namespace TorchSharp;

public static partial class torch
{
    public class Generator : IDisposable
    {
        public Generator(ulong seed = 0, Device? device = null) => throw StandIn.Error;

        public void Dispose() => throw StandIn.Error;
    }
}
