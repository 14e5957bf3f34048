namespace Microsoft.ML.Moe.Rows;

/// <summary>SkiaSharp's native part, which decodes images: the first use of it loads it.</summary>
internal static class NativeSkia
{
    /// <summary>Does something that needs it.</summary>
    /// <exception cref="InvalidOperationException">It is not there; the message says which package to add.</exception>
    public static T Run<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (IsMissing(e))
        {
            throw new InvalidOperationException(
                "Images are decoded by SkiaSharp, whose native library (libSkiaSharp) was not found or could not be loaded on this machine. "
                + "Add the package SkiaSharp.NativeAssets.Linux.NoDependencies (Linux), SkiaSharp.NativeAssets.Win32 (Windows) or "
                + $"SkiaSharp.NativeAssets.macOS (macOS), of the version that SkiaSharp has, to the application. The cause: {Cause(e).Message}",
                e);
        }
    }

    private static bool IsMissing(Exception e) => Cause(e) is DllNotFoundException or BadImageFormatException or EntryPointNotFoundException;

    private static Exception Cause(Exception e) => e is TypeInitializationException { InnerException: { } inner } ? Cause(inner) : e;
}
