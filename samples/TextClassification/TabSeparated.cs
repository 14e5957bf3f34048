using Microsoft.ML;
using Microsoft.ML.Data;
using Samples;

namespace TextClassification;

/// <summary>Tab-separated files whose first line names the columns.</summary>
internal static class TabSeparated
{
    /// <summary>A file's label and text columns, named Label and Text whatever the file calls them.</summary>
    /// <exception cref="UserException">The file is not there, has no rows, or lacks a column.</exception>
    public static IDataView Load(MLContext ml, string path, string labelColumn, string textColumn)
    {
        var header = Header(path);
        TextLoader.Column[] columns =
        [
            new(nameof(Example.Label), DataKind.String, IndexOf(labelColumn, "--label", header, path)),
            new(nameof(Example.Text), DataKind.String, IndexOf(textColumn, "--text", header, path)),
        ];
        return ml.Data.LoadFromTextFile(path, columns, separatorChar: '\t', hasHeader: true);
    }

    public static void Save(string path, IEnumerable<Example> rows) =>
        File.WriteAllLines(path, rows.Select(row => $"{row.Label}\t{row.Text}").Prepend("Label\tText"));

    /// <summary>The names of a file's columns.</summary>
    internal static string[] Header(string path)
    {
        if (Directory.Exists(path))
            throw new UserException($"'{path}' is a folder, not a file.");
        if (!File.Exists(path))
            throw new UserException($"There is no file '{path}'.");
        using var lines = File.ReadLines(path).Where(IsRow).GetEnumerator();
        if (!lines.MoveNext())
            throw new UserException($"'{path}' is empty; it should begin with a line that names the columns.");
        var header = lines.Current.Split('\t', StringSplitOptions.TrimEntries);
        if (!lines.MoveNext())
            throw new UserException($"'{path}' has a header but no rows.");
        return header;
    }

    // ML.NET's text loader passes over empty lines and comments.
    private static bool IsRow(string line) => line.Length > 0 && !line.StartsWith("//", StringComparison.Ordinal);

    private static int IndexOf(string column, string option, string[] header, string path)
    {
        var index = Array.IndexOf(header, column);
        if (index >= 0)
            return index;
        var names = string.Join(", ", header.Select(name => $"'{name}'"));
        var hint = header.Length == 1 && header[0].AsSpan().ContainsAny(",;") ? " Are the columns separated by tabs?" : "";
        throw new UserException($"'{path}' has no column '{column}'; choose one with {option}. Its columns: {names}.{hint}");
    }
}
