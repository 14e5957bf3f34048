namespace Microsoft.ML.Moe.Files;

/// <summary>
/// Models that other programs have downloaded from the Hugging Face hub: its cache folder, <c>models--ORG--NAME/snapshots/COMMIT</c>.
/// Nothing is downloaded here.
/// </summary>
internal static class HubCache
{
    private const int MostCharactersOfCommit = 256;

    /// <summary>The cache folder: <c>HF_HUB_CACHE</c>, else <c>hub</c> in <c>HF_HOME</c>, else in <c>~/.cache/huggingface</c>.</summary>
    public static string Folder
    {
        get
        {
            if (Environment.GetEnvironmentVariable("HF_HUB_CACHE") is { Length: > 0 } cache)
                return cache;
            var home = Environment.GetEnvironmentVariable("HF_HOME") is { Length: > 0 } given
                ? given
                : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "huggingface");
            return Path.Combine(home, "hub");
        }
    }

    /// <summary>Whether a text can be the name of a model on the hub, <c>org/name</c> or <c>name</c>.</summary>
    public static bool IsName(string text)
    {
        var parts = text.Split('/');
        return parts.Length <= 2 && Array.TrueForAll(
            parts,
            part => part.Trim('.').Length > 0 && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'));
    }

    /// <summary>The folder of a model's files.</summary>
    /// <param name="name">As the hub has it, <c>sentence-transformers/all-MiniLM-L6-v2</c>.</param>
    /// <param name="cache">The cache folder; null for <see cref="Folder"/>.</param>
    /// <returns>The snapshot of the main branch, else the only one; null where there is none.</returns>
    public static string? Find(string name, string? cache = null)
    {
        if (!IsName(name))
            return null;
        var model = Path.Combine(cache ?? Folder, "models--" + name.Replace("/", "--", StringComparison.Ordinal));
        var snapshots = Path.Combine(model, "snapshots");
        if (!Directory.Exists(snapshots))
            return null;
        if (CommitOf(Path.Combine(model, "refs", "main")) is { } commit && Path.Combine(snapshots, commit) is var main && Directory.Exists(main))
            return main;
        return Directory.GetDirectories(snapshots) is [var only] ? only : null;
    }

    private static string? CommitOf(string file)
    {
        if (!File.Exists(file) || new FileInfo(file).Length > MostCharactersOfCommit)
            return null;
        var commit = File.ReadAllText(file).Trim();
        return IsName(commit) && !commit.Contains('/', StringComparison.Ordinal) ? commit : null;
    }
}
