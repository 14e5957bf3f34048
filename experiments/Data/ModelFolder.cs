using System.Globalization;
using System.Security.Cryptography;

namespace Microsoft.ML.Moe.Experiments.Data;

/// <summary>Tells the models and rows that a run begins with from those of other calls of the program.</summary>
internal static class ModelFolder
{
    private const int DigestLetters = 8;

    /// <summary>Name of a model's folder and the beginning of its weights' SHA-256: folders of one name may hold different models.</summary>
    /// <param name="folder">The folder; null for none.</param>
    public static string? NameOf(string? folder)
    {
        if (folder is null)
            return null;
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder));
        if (!Directory.Exists(folder))
            return name;
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in Directory.EnumerateFiles(folder, "*.safetensors").Order(StringComparer.Ordinal))
        {
            using var stream = File.OpenRead(file);
            digest.AppendData(SHA256.HashData(stream));
        }

        return $"{name} {Convert.ToHexString(digest.GetHashAndReset())[..DigestLetters]}";
    }

    /// <summary>How many rows of each table are taken, in words.</summary>
    public static string RowsOf(Arguments arguments) => $"rows {arguments.Rows?.ToString(CultureInfo.InvariantCulture) ?? "all"}";
}
