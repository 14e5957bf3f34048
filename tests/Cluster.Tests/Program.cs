namespace Microsoft.ML.Moe.Tests.Cluster;

internal static class Program
{
    private static int Main(string[] args) => args.Length;
}
