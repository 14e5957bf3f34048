namespace Microsoft.ML.Moe.Persistence;

/// <summary>
/// Finds the folder of a model whose weights a zip refers to. A relative path counts from the folder that the environment variable names,
/// else from the zip's own where the loader knows it, else from the current directory; an absolute one is looked for by its last part where
/// the variable says, if it is not there.
/// </summary>
internal static class ReferredFolder
{
    /// <summary>Environment variable with the folder that holds folders of models.</summary>
    public const string Variable = "MLNETMOE_MODELS";

    private static readonly AsyncLocal<string?> FolderOfZip = new();

    /// <summary>Loads a zip file whose path is known, which ML.NET does not tell those who read its entries.</summary>
    /// <param name="path">Path of the zip.</param>
    /// <param name="load">Loads it.</param>
    public static T Beside<T>(string path, Func<T> load)
    {
        var before = FolderOfZip.Value;
        FolderOfZip.Value = Path.GetDirectoryName(Path.GetFullPath(path));
        try
        {
            return load();
        }
        finally
        {
            FolderOfZip.Value = before;
        }
    }

    /// <summary>Finds a model.</summary>
    /// <param name="model">As the zip names it.</param>
    /// <returns>Where it is; as it was named where that is found.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder; the message names all places where it was looked for.</exception>
    /// <exception cref="FileNotFoundException">The hub's cache has no such model; the message says what to fetch.</exception>
    public static PublishedModel Find(PublishedModel model)
    {
        if (model.IsOnHub)
            return model;
        var places = PlacesOf(model.Name).Distinct().ToList();
        var found = places.Find(Directory.Exists) ?? throw new DirectoryNotFoundException(
            $"The model's weights are in the folder {model.Name}, which is at none of these places: {string.Join(", ", places)}. Put it at one of "
            + $"them, or set the environment variable {Variable} to the folder that holds it.");
        return found == Path.GetFullPath(model.Name) ? model : PublishedModel.FromFolder(found);
    }

    private static IEnumerable<string> PlacesOf(string name)
    {
        var given = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } folder ? Path.GetFullPath(folder) : null;
        if (Path.IsPathFullyQualified(name))
        {
            yield return Path.GetFullPath(name);
            if (given is not null)
                yield return Path.Combine(given, Path.GetFileName(Path.TrimEndingDirectorySeparator(name)));
            yield break;
        }

        if (given is not null)
            yield return Path.GetFullPath(name, given);
        if (FolderOfZip.Value is { } own)
            yield return Path.GetFullPath(name, own);
        yield return Path.GetFullPath(name);
    }
}
