namespace TorchSharp;

public static partial class torch
{
    public static class jit
    {
        public static CompilationUnit compile(string script) => throw StandIn.Error;

        public class CompilationUnit : IDisposable
        {
            internal CompilationUnit() => throw StandIn.Error;

            public void Dispose() => throw StandIn.Error;

            public object invoke(string name, params object[] objs) => throw StandIn.Error;
        }
    }
}
