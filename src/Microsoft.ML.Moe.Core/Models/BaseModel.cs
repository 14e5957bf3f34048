namespace Microsoft.ML.Moe.Models;

/// <summary>The published model that a model was made from.</summary>
/// <param name="Name">Its name.</param>
/// <param name="License">What its files call its licence; null where they do not say.</param>
internal sealed record BaseModel(string Name, string? License)
{
    private const int MostLines = 200;
    private const int MostLetters = 200;

    /// <summary>Reads name and licence of a folder: the latter as its README.md gives it, in the form of the hub.</summary>
    /// <param name="name">What the model is called.</param>
    /// <param name="folder">The folder.</param>
    public static BaseModel Of(string name, string folder)
    {
        var page = Path.Combine(folder, "README.md");
        return new BaseModel(name, File.Exists(page) ? LicenseIn(File.ReadLines(page)) : null);
    }

    /// <summary>The licence that the head of a page gives, between two lines of hyphens.</summary>
    private static string? LicenseIn(IEnumerable<string> lines)
    {
        const string Key = "license:";
        foreach (var (number, line) in lines.Take(MostLines).Index())
        {
            if ((number == 0) != (line.TrimEnd() == "---"))
                return null;
            if (line.StartsWith(Key, StringComparison.Ordinal) && line[Key.Length..].Trim().Trim('"', '\'') is { Length: > 0 and < MostLetters } license)
                return license;
        }

        return null;
    }
}
