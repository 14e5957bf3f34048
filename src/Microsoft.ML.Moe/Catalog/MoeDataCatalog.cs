using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML;

/// <summary>Extension methods of <see cref="DataOperationsCatalog"/>.</summary>
public static class MoeDataCatalog
{
    /// <summary>
    /// A table of the lines of text files, one row a line, whatever characters are in it: nothing is split, unquoted or trimmed. Files
    /// are read as rows are asked for, anew for each reading, and never held in memory.
    /// </summary>
    /// <param name="catalog">The catalog: <c>mlContext.Data</c>.</param>
    /// <param name="columnName">Name of the table's only column, of text.</param>
    /// <param name="paths">Paths of the files, at least one, in UTF-8; read one after the other.</param>
    /// <exception cref="ArgumentException">A name is empty, or there are no files.</exception>
    /// <exception cref="FileNotFoundException">There is no such file; the message names it.</exception>
    /// <remarks>
    /// Reading a file that is not UTF-8 throws an <see cref="InvalidDataException"/> that tells file and line.
    /// </remarks>
    public static IDataView LoadTextLines(this DataOperationsCatalog catalog, string columnName, params string[] paths)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentException.ThrowIfNullOrEmpty(columnName);
        ArgumentNullException.ThrowIfNull(paths);
        if (paths.Length == 0)
            throw new ArgumentException("There are no files to read.", nameof(paths));
        foreach (var path in paths)
        {
            ArgumentException.ThrowIfNullOrEmpty(path, nameof(paths));
            if (!File.Exists(path))
                throw new FileNotFoundException($"There is no text file {path}.", path);
        }

        return new TextLinesView(columnName, [.. paths.Select(Path.GetFullPath)]);
    }
}
