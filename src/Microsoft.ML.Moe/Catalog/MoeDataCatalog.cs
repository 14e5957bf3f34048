using Microsoft.ML.Data;
using Microsoft.ML.Moe;
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

    /// <summary>
    /// The table with texts corrupted: words dropped, replaced and swapped at random, to measure what a method makes of noisy data. A
    /// function of a table, and not a step of a pipeline, so that a trained model never corrupts what it predicts: apply it to what is
    /// given to <c>Fit</c>.
    /// </summary>
    /// <param name="catalog">The catalog: <c>mlContext.Data</c>.</param>
    /// <param name="data">The table. It is read as rows of the result are, and where words of the table replace others once before.</param>
    /// <param name="columnName">Column of text; it keeps name, place and type.</param>
    /// <param name="corruption">How much is dropped, replaced and swapped, and in how many rows.</param>
    /// <param name="changedColumnName">Column that is added, Boolean, and tells which texts were changed; null for none.</param>
    /// <returns>
    /// The table, corrupted as it is read. A row is corrupted alike however often, in whatever order and by however many cursors it is
    /// read: what is random depends on the seed and the row's <see cref="DataViewRowId"/> alone.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">The column is missing or not text.</exception>
    /// <exception cref="ArgumentException">
    /// The shares do not fit each other, or a column is named
    /// <paramref name="changedColumnName"/>.
    /// </exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var corruption = new TextCorruption { DropShare = 0.1, ReplaceShare = 0.1, RowShare = 0.5, Seed = 1 };
    /// var noisy = mlContext.Data.CorruptText(split.TrainSet, "Text", corruption);
    /// ]]></code>
    /// </example>
    public static IDataView CorruptText(
        this DataOperationsCatalog catalog, IDataView data, string columnName, TextCorruption corruption, string? changedColumnName = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(corruption);
        var column = InputColumns.Texts(data.Schema, columnName)[0];
        return new CorruptedView(data, column, ColumnCorruption.OfText(corruption, data, column), changedColumnName);
    }

    /// <summary>
    /// The table with wrong labels in a share of its rows, to measure what a method makes of noisy data. As <see cref="CorruptText"/> it
    /// is a function of a table: apply it to what is given to <c>Fit</c>, and not to what a model is tested on.
    /// </summary>
    /// <param name="catalog">The catalog: <c>mlContext.Data</c>.</param>
    /// <param name="data">The table. It is read as rows of the result are, its labels once before.</param>
    /// <param name="columnName">
    /// Column of labels: a key, text, Boolean or a whole number. It keeps name, place, type and key values. Missing labels (a missing key,
    /// an empty text) stay missing.
    /// </param>
    /// <param name="noise">How many labels are wrong, and how they are drawn.</param>
    /// <param name="changedColumnName">Column that is added, Boolean, and tells which labels were changed; null for none.</param>
    /// <returns>The table, corrupted as it is read; see <see cref="CorruptText"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The column is missing or of another type.</exception>
    /// <exception cref="ArgumentException">A column is named <paramref name="changedColumnName"/>.</exception>
    /// <remarks>Reading a table with less than two different labels throws an <see cref="InvalidOperationException"/>.</remarks>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var noisy = mlContext.Data.CorruptLabels(split.TrainSet, "Label", new LabelNoise { Share = 0.2, Seed = 1 });
    /// ]]></code>
    /// </example>
    public static IDataView CorruptLabels(
        this DataOperationsCatalog catalog, IDataView data, string columnName, LabelNoise noise, string? changedColumnName = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(noise);
        var column = InputColumns.Find(data.Schema, columnName, "label");
        return new CorruptedView(data, column, ColumnCorruption.OfLabels(noise, data, column), changedColumnName);
    }

    /// <summary>
    /// The table with spoiled images: noise, blur, weather and digital damage, the fifteen of ImageNet-C (Hendrycks and Dietterich 2019),
    /// to measure what a classifier makes of them. As <see cref="CorruptText"/> it is a function of a table: apply it to what a model is
    /// tested on.
    /// </summary>
    /// <param name="catalog">The catalog: <c>mlContext.Data</c>.</param>
    /// <param name="data">The table. It is read as rows of the result are.</param>
    /// <param name="columnName">
    /// Column of images: files, which become PNG files of the same size; or pixels, row by row from the top, all channels of a pixel
    /// together, as single-precision numbers within [0, 255], or as bytes in three dimensions. It keeps name, place and type. Images are
    /// at most 4096 pixels wide and high; to spoil them at the size at which a model reads them, resize them before.
    /// </param>
    /// <param name="corruption">What is done, how much of it, and the seed.</param>
    /// <param name="changedColumnName">Column that is added, Boolean, and tells which images were changed; null for none.</param>
    /// <returns>The table, corrupted as it is read; see <see cref="CorruptText"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The column is missing, of another type, or of a size that makes no image.</exception>
    /// <exception cref="ArgumentException">A column is named <paramref name="changedColumnName"/>.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var foggy = mlContext.Data.CorruptImages(split.TestSet, "Image", new ImageCorruption(ImageCorruptionKind.Fog) { Severity = 3, Seed
    /// = 1 }); ]]></code>
    /// </example>
    public static IDataView CorruptImages(
        this DataOperationsCatalog catalog, IDataView data, string columnName, ImageCorruption corruption, string? changedColumnName = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(corruption);
        var column = ImageColumn.Find(data.Schema, columnName);
        return new CorruptedView(data, column, ImageColumnCorruption.Of(corruption, column), changedColumnName);
    }
}
