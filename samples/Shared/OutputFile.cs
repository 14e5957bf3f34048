namespace Samples;

/// <summary>Files that a sample writes.</summary>
internal static class OutputFile
{
    /// <summary>Makes sure that a file can be written, before time goes into training.</summary>
    /// <exception cref="UserException">The file's path is a folder.</exception>
    public static void Prepare(string file, string option)
    {
        if (Directory.Exists(file))
            throw new UserException($"'{file}' is a folder; {option} takes the path of a file.");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        using var probe = File.Create(file + ".tmp", 1, FileOptions.DeleteOnClose);
    }
}
