using Microsoft.ML;
using Microsoft.ML.Data;

namespace MoeTool.Data;

/// <summary>An image file with its label.</summary>
internal sealed class ImageRow
{
    public string Label { get; set; } = "";

    public string ImagePath { get; set; } = "";
}

/// <summary>Image files with labels: a folder for each class, or a table of paths.</summary>
internal static class ImageFiles
{
    private static readonly HashSet<string> Extensions =
        new(StringComparer.OrdinalIgnoreCase) { ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp" };

    /// <summary>Finds images.</summary>
    /// <param name="ml">Reads tables.</param>
    /// <param name="data">A folder with a sub-folder for each class, or a table whose paths are relative to it.</param>
    /// <param name="path">The table's column of paths.</param>
    /// <param name="label">The table's column of labels; null leaves them empty.</param>
    /// <exception cref="UserException">There is nothing to be found, or a file of the table is missing.</exception>
    public static IReadOnlyList<ImageRow> Find(MLContext ml, string data, SourceColumn path, SourceColumn? label)
    {
        if (!Directory.Exists(data) && !File.Exists(data))
            throw new UserException($"There is no folder and no file '{data}'.");
        var images = Directory.Exists(data) ? InFolder(data) : InTable(ml, data, path, label);
        return images.Count > 0
            ? images
            : throw new UserException($"There are no images in '{data}': a folder should have a sub-folder for each class.");
    }

    /// <summary>Holds out a fifth of each class, and mixes what is left.</summary>
    /// <exception cref="UserException">There is a class with a single image.</exception>
    public static (IReadOnlyList<ImageRow> Train, IReadOnlyList<ImageRow> Test) Split(IReadOnlyList<ImageRow> images, int seed)
    {
        var all = images.ToArray();
        new Random(seed).Shuffle(all);
        var (train, test) = (new List<ImageRow>(), new List<ImageRow>());
        foreach (var group in all.GroupBy(row => row.Label)
                     .OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => group.ToList()))
        {
            if (group.Count < 2)
                throw new UserException($"There is only one image of '{group[0].Label}'; a class needs one to learn from and one to test on.");
            var held = Math.Max(1, group.Count / 5);
            test.AddRange(group.Take(held));
            train.AddRange(group.Skip(held));
        }

        return (train, test);
    }

    /// <summary>The images as a table.</summary>
    /// <param name="ml">Makes it.</param>
    /// <param name="images">The images.</param>
    /// <param name="path">Name of the column of paths.</param>
    /// <param name="label">Name of the column of labels.</param>
    public static IDataView ToTable(MLContext ml, IReadOnlyList<ImageRow> images, string path, string label)
    {
        var schema = SchemaDefinition.Create(typeof(ImageRow));
        schema[nameof(ImageRow.ImagePath)].ColumnName = path;
        schema[nameof(ImageRow.Label)].ColumnName = label;
        return ml.Data.LoadFromEnumerable(images, schema);
    }

    private static List<ImageRow> InFolder(string folder) =>
    [
        .. Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal).SelectMany(of => Directory.EnumerateFiles(of)
            .Where(file => Extensions.Contains(Path.GetExtension(file)))
            .Order(StringComparer.Ordinal)
            .Select(file => new ImageRow { Label = Path.GetFileName(of), ImagePath = Path.GetFullPath(file) })),
    ];

    private static List<ImageRow> InTable(MLContext ml, string table, SourceColumn path, SourceColumn? label)
    {
        var columns = new List<SourceColumn> { path with { Name = nameof(ImageRow.ImagePath) } };
        if (label is not null)
            columns.Add(label with { Name = nameof(ImageRow.Label) });
        var rows = DelimitedFile.Open(table).Load(ml, columns);
        if (label is null)
            rows = ml.Transforms.CopyColumns(nameof(ImageRow.Label), nameof(ImageRow.ImagePath)).Fit(rows).Transform(rows);
        var folder = Path.GetDirectoryName(Path.GetFullPath(table))!;
        var images = ml.Data.CreateEnumerable<ImageRow>(rows, reuseRowObject: false).ToList();
        foreach (var image in images)
        {
            if (image.ImagePath.Length == 0)
                throw new UserException($"A row of '{table}' has no path in column '{path.Source}'.");
            image.ImagePath = Path.Combine(folder, image.ImagePath);
            if (!File.Exists(image.ImagePath))
                throw new UserException($"There is no image '{image.ImagePath}', which '{table}' names.");
        }

        return images;
    }
}
