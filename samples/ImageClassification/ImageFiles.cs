using Samples;

namespace ImageClassification;

/// <summary>Image files with labels: a folder for each class, or a table of paths.</summary>
internal static class ImageFiles
{
    private static readonly HashSet<string> Extensions = new(StringComparer.OrdinalIgnoreCase) { ".png", ".jpg", ".jpeg", ".bmp" };

    /// <summary>Finds images.</summary>
    /// <param name="data">A folder with a sub-folder for each class, or a tab-separated table with the columns Label and ImagePath.</param>
    /// <param name="test">The same for testing; null holds out a fifth of the images.</param>
    /// <param name="seed">Seeds what is held out.</param>
    /// <exception cref="UserException">There is nothing to be found.</exception>
    public static Examples<FileExample> Load(string data, string? test, int seed)
    {
        var files = Find(data);
        var (train, held) = test is null ? Split.Of(files, file => file.Label, seed) : ([.. files], [.. Find(test)]);
        return new Examples<FileExample>(new LazyFiles(train), new LazyFiles(held));
    }

    internal static IReadOnlyList<(string Path, string Label)> Find(string data)
    {
        var files = Directory.Exists(data) ? InFolder(data) : InTable(data);
        return files.Count > 0 ? files : throw new UserException($"There are no images in '{data}'.");
    }

    private static List<(string Path, string Label)> InFolder(string folder) =>
    [
        .. Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal).SelectMany(of => Directory.EnumerateFiles(of)
            .Where(file => Extensions.Contains(Path.GetExtension(file)))
            .Order(StringComparer.Ordinal)
            .Select(file => (file, Path.GetFileName(of)))),
    ];

    /// <summary>Paths are relative to the table.</summary>
    private static List<(string Path, string Label)> InTable(string table)
    {
        if (!File.Exists(table))
            throw new UserException($"There is no folder and no file '{table}'.");
        var lines = File.ReadAllLines(table);
        var header = lines.Length == 0 ? [] : lines[0].Split('\t');
        var (label, path) = (Array.IndexOf(header, "Label"), Array.IndexOf(header, "ImagePath"));
        if (label < 0 || path < 0)
            throw new UserException($"'{table}' should begin with a line that names its tab-separated columns, Label and ImagePath among them.");
        var folder = Path.GetDirectoryName(Path.GetFullPath(table))!;
        return
        [
            .. lines.Index().Skip(1).Where(line => line.Item.Length > 0).Select(line =>
            {
                var fields = line.Item.Split('\t');
                if (fields.Length != header.Length)
                    throw new UserException($"Line {line.Index + 1} of '{table}' has {fields.Length} fields, not {header.Length}.");
                return (Path.Combine(folder, fields[path]), fields[label]);
            }),
        ];
    }

    /// <summary>Reads each file when its row is read, so that no more than one is in memory.</summary>
    private sealed class LazyFiles(IReadOnlyList<(string Path, string Label)> files) : IReadOnlyCollection<FileExample>
    {
        public int Count => files.Count;

        public IEnumerator<FileExample> GetEnumerator() => files
            .Select(file => new FileExample { Features = Read(file.Path), Label = file.Label, Name = "  " + file.Path })
            .GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();

        private static byte[] Read(string path)
        {
            try
            {
                return File.ReadAllBytes(path);
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                throw new UserException($"There is no image '{path}'.");
            }
        }
    }
}
