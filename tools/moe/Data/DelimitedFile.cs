using Microsoft.ML;
using Microsoft.ML.Data;

namespace MoeTool.Data;

/// <summary>A column of a table: what it is called there, what it shall be called, the option that chooses it, and what it is read as.</summary>
internal sealed record SourceColumn(string Source, string Name, string Option, DataKind Kind = DataKind.String);

/// <summary>
/// A text file with a header, separated by tabs, or by commas in a <c>.csv</c> file. ML.NET's text loader reads it; this finds out how
/// it has to: where the columns are, and whether quotes enclose fields or belong to the text.
/// </summary>
internal sealed class DelimitedFile
{
    private readonly string _path;
    private readonly char _separator;
    private readonly Scan _scan;

    private DelimitedFile(string path, char separator, Scan scan) => (_path, _separator, _scan) = (path, separator, scan);

    /// <summary>The names of the columns.</summary>
    public IReadOnlyList<string> Header => _scan.Header;

    /// <summary>Number of rows.</summary>
    public long Rows => _scan.Rows;

    /// <summary>A row with another number of fields than the header, in words; null when there is none.</summary>
    public string? Ragged => _scan.RaggedRows == 0
        ? null
        : $"'{_path}': {_scan.RaggedRows:N0} rows do not have {Header.Count} fields as the header; "
            + $"the first is on line {_scan.FirstRaggedLine}.";

    /// <summary>Looks at a file.</summary>
    /// <exception cref="UserException">The file is not there or has no rows.</exception>
    public static DelimitedFile Open(string path)
    {
        if (Directory.Exists(path))
            throw new UserException($"'{path}' is a folder, not a file.");
        if (!File.Exists(path))
            throw new UserException($"There is no file '{path}'.");
        var separator = Path.GetExtension(path).Equals(".csv", StringComparison.OrdinalIgnoreCase) ? ',' : '\t';
        var scan = Scan.Of(path, separator, quoting: true);
        if (scan is null or { IsMultiline: true })
        {
            // A quote that is no field's end, or fields of several lines: unless all lines are whole rows as they are.
            var plain = Scan.Of(path, separator, quoting: false)!;
            scan = scan is null || plain.RaggedRows == 0 ? plain : scan;
        }

        if (scan.Header.Count == 0)
            throw new UserException($"'{path}' is empty; it should begin with a line that names the columns.");
        return scan.Rows > 0 ? new DelimitedFile(path, separator, scan) : throw new UserException($"'{path}' has a header but no rows.");
    }

    /// <summary>The table with some of its columns; a number that is missing is NaN.</summary>
    /// <exception cref="UserException">The file lacks a column.</exception>
    public IDataView Load(MLContext ml, params IEnumerable<SourceColumn> columns) => ml.Data.CreateTextLoader(new TextLoader.Options
    {
        Columns = [.. columns.Select(column => new TextLoader.Column(column.Name, column.Kind, IndexOf(column)))],
        Separators = [_separator],
        HasHeader = true,
        AllowQuoting = _scan.IsQuoted,
        MissingRealsAsNaNs = true,
        ReadMultilines = _scan.IsMultiline,
    }).Load(_path);

    /// <summary>Whether there is a column.</summary>
    public bool Has(string column) => Header.Contains(column);

    private int IndexOf(SourceColumn column)
    {
        var index = _scan.Header.IndexOf(column.Source);
        if (index >= 0)
            return index;
        var names = string.Join(", ", Header.Select(name => $"'{name}'"));
        var hint = Header.Count == 1 && Header[0].AsSpan().ContainsAny(",;\t")
            ? " Are the columns separated by tabs, or by commas in a file named .csv?"
            : "";
        throw new UserException($"'{_path}' has no column '{column.Source}'; choose one with {column.Option}. Its columns: {names}.{hint}");
    }

    /// <summary>What a file looks like, read in one way.</summary>
    private sealed class Scan
    {
        public List<string> Header { get; } = [];

        public long Rows { get; private set; }

        public long RaggedRows { get; private set; }

        public long FirstRaggedLine { get; private set; }

        /// <summary>Whether a field is enclosed in quotes.</summary>
        public bool IsQuoted { get; private set; }

        /// <summary>Whether such a field goes over several lines.</summary>
        public bool IsMultiline { get; private set; }

        /// <summary>Reads a file; null when quotes cannot enclose its fields.</summary>
        public static Scan? Of(string path, char separator, bool quoting)
        {
            var scan = new Scan();
            var (number, begun, fields, open) = (0L, 0L, 0, false);
            foreach (var line in File.ReadLines(path))
            {
                number++;
                // As the text loader does, which passes over empty lines and comments.
                if (!open && (line.Length == 0 || line.StartsWith("//", StringComparison.Ordinal)))
                    continue;
                if (!open)
                    (fields, begun) = (0, number);
                var isHeader = scan.Header.Count == 0;
                if (!scan.ReadLine(line, separator, quoting, ref fields, ref open))
                    return null;
                scan.IsMultiline |= open;
                if (!open && !isHeader)
                    scan.EndRow(fields, begun);
            }

            return open ? null : scan;
        }

        private void EndRow(int fields, long line)
        {
            Rows++;
            if (fields != Header.Count && RaggedRows++ == 0)
                FirstRaggedLine = line;
        }

        // Counts the line's fields; the first line's become the header, and are not counted.
        private bool ReadLine(string line, char separator, bool quoting, ref int fields, ref bool open)
        {
            var isHeader = Header.Count == 0;
            for (var at = 0; ;)
            {
                var start = at;
                if (open || (quoting && at < line.Length && line[at] == '"'))
                {
                    at = EndOfQuoted(line, open ? at : at + 1);
                    IsQuoted = true;
                    open = at < 0;
                    if (open)
                        return !isHeader;
                    while (at < line.Length && line[at] == ' ')
                        at++;
                    if (at < line.Length && line[at] != separator)
                        return false;
                }
                else
                {
                    var end = line.IndexOf(separator, at);
                    at = end < 0 ? line.Length : end;
                }

                if (isHeader)
                    Header.Add(Unquoted(line[start..at].Trim()));
                else
                    fields++;
                if (at >= line.Length)
                    return true;
                at++;
            }
        }

        // The place after a field's closing quote; −1 when it is on a later line. Two quotes are one of the text's.
        private static int EndOfQuoted(string line, int at)
        {
            while (true)
            {
                var quote = line.IndexOf('"', at);
                if (quote < 0)
                    return -1;
                if (quote + 1 >= line.Length || line[quote + 1] != '"')
                    return quote + 1;
                at = quote + 2;
            }
        }

        private string Unquoted(string name) =>
            IsQuoted && name is ['"', .., '"'] ? name[1..^1].Replace("\"\"", "\"", StringComparison.Ordinal) : name;
    }
}
