using System.Reflection;

namespace Microsoft.ML.Moe.Tests;

/// <summary>What tests do to an <see cref="MLContext"/>.</summary>
internal static class Contexts
{
    private static readonly MethodInfo CancelExecution =
        typeof(MLContext).GetMethod("CancelExecution", BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)!;

    /// <summary>Cancels what runs on the context, as ML.NET's own tools do; the method is not public.</summary>
    public static void Cancel(this MLContext context) => CancelExecution.Invoke(context, null);
}
