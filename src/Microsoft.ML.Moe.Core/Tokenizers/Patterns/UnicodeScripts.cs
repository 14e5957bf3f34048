namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Unicode's scripts.</summary>
internal static class UnicodeScripts
{
    /// <summary>The code points of a script, by its name in lower case without spaces; null for an unknown one.</summary>
    public static Func<int, bool>? Find(string name) => null;
}
