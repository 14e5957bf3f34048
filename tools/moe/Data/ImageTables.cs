using Microsoft.ML;
using MoeTool.Commands;

namespace MoeTool.Data;

/// <summary>Tables of labelled image files.</summary>
internal static class ImageTables
{
    public const string Label = "Label";
    public const string Path = "ImagePath";
    public const string Image = "Image";

    /// <summary>What reads the files.</summary>
    public static IEstimator<ITransformer> Read(MLContext ml) => ml.Transforms.LoadRawImageBytes(Image, imageFolder: null, Path);

    /// <summary>Finds the images; without any to test on a fifth of the training images are drawn.</summary>
    public static Tables Load(MLContext ml, string data, string? validation, string? test, string pathColumn, string labelColumn, int seed)
    {
        var train = Find(data);
        var chosen = validation is null ? null : Find(validation);
        (train, var rest) = test is null ? ImageFiles.Split(train, seed) : (train, Find(test));
        return new Tables(Table(train), chosen is null ? null : Table(chosen), Table(rest));

        IReadOnlyList<ImageRow> Find(string images) =>
            ImageFiles.Find(ml, images, new SourceColumn(pathColumn, Path, "--path"), new SourceColumn(labelColumn, Label, "--label"));

        IDataView Table(IReadOnlyList<ImageRow> images) => ImageFiles.ToTable(ml, images, Path, Label);
    }
}
