using Microsoft.ML.Moe.Tensors;
using TorchSharp;

namespace Microsoft.ML.Moe.Benchmarks.References;

/// <summary>Whether the TorchSharp engine can run here.</summary>
internal static class LibTorch
{
    private static readonly Lazy<string?> Reason = new(Find);

    /// <summary>Why it cannot; null where it can.</summary>
    public static string? Missing => Reason.Value;

    private static string? Find()
    {
        if (typeof(torch).Assembly.GetName().Name != nameof(TorchSharp))
            return "this build has TorchSharp's stand-in, which does not run; build with -p:TorchFeed=nuget or -p:TorchFeed=local.";
        try
        {
            new TorchEngine().Dispose();
            return null;
        }
        catch (DllNotFoundException e)
        {
            return e.Message;
        }
    }
}
