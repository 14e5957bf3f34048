using System.Globalization;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// How many threads an engine has that was told no number: what <see cref="AppContext"/> has by the name <see cref="Setting"/>, set in code or in
/// <c>runtimeconfig.json</c>, or else all CPUs. It reaches models that ML.NET loads, which takes no options.
/// </summary>
internal static class DefaultThreads
{
    /// <summary>Name of the setting: a number, at least 1.</summary>
    public const string Setting = "Microsoft.ML.Moe.Threads";

    /// <summary>The number.</summary>
    /// <exception cref="InvalidOperationException">The setting is no number, or below 1.</exception>
    public static int Count => Of(AppContext.GetData(Setting));

    /// <summary>The number that a setting asks for.</summary>
    /// <param name="setting">An int, or text as <c>runtimeconfig.json</c> has it; null for all CPUs.</param>
    /// <exception cref="InvalidOperationException">The setting is no number, or below 1.</exception>
    public static int Of(object? setting) => setting switch
    {
        null => Environment.ProcessorCount,
        int and >= 1 => (int)setting,
        string text when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var threads) && threads >= 1 => threads,
        _ => throw new InvalidOperationException($"The setting '{Setting}' is '{setting}': give it a number of threads, at least 1, or leave it out."),
    };
}
