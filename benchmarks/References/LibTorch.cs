using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.References;

/// <summary>Whether the TorchSharp engine can run here.</summary>
internal static class LibTorch
{
    private static readonly Lazy<string?> Reason = new(Find);

    /// <summary>Why it cannot; null where it can.</summary>
    public static string? Missing => Reason.Value;

    private static string? Find()
    {
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
