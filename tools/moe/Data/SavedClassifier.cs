using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using MoeTool.Settings;

namespace MoeTool.Data;

/// <summary>A classifier of texts or images that was saved, with what it reads.</summary>
internal sealed class SavedClassifier
{
    private readonly MLContext _ml;
    private readonly ModelSettings _settings;
    private readonly SavedModel _saved;

    /// <summary>Finds out what a classifier of texts or images reads.</summary>
    /// <exception cref="UserException">A command line cannot give it that.</exception>
    public SavedClassifier(MLContext ml, ModelSettings settings, SavedModel saved)
    {
        (_ml, _settings, _saved) = (ml, settings, saved);
        var (input, output) = (saved.Input, saved.Chain.GetOutputSchema(saved.Input));
        var keyed = input.Where(column => column.Type is not KeyDataViewType && output[column.Name].Type is KeyDataViewType).ToList();
        Label = keyed is [{ Type: TextDataViewType }] ? keyed[0].Name : throw Unfit("one column of labels, as text");
        Inputs = [.. input.Where(column => !column.IsHidden && column.Name != Label && column.Type is TextDataViewType)
            .Select(column => column.Name)];
        if (IsOfImages ? Inputs.Count != 1 : Inputs.Count is < 1 or > 2)
            throw Unfit(IsOfImages ? "one column of images' paths" : "one or two columns of text");
    }

    /// <summary>The classifier itself: one of classes, or one that tells them by what it would write.</summary>
    public MoeTransformer Classifier => _saved.Model;

    /// <summary>The label's column, named as in training.</summary>
    public string Label { get; }

    /// <summary>The columns of texts, or of images' paths, named as in training.</summary>
    public IReadOnlyList<string> Inputs { get; }

    /// <summary>Whether it classifies images.</summary>
    public bool IsOfImages => Classifier is MoeImageClassificationTransformer;

    /// <summary>Reads rows as the model wants them.</summary>
    /// <param name="data">A table; for images also a folder.</param>
    /// <param name="label">The column of labels; null for the model's.</param>
    /// <param name="needsLabel">Whether rows are of use without labels.</param>
    /// <exception cref="UserException">The data is not there, or lacks a column.</exception>
    public IDataView Read(string data, string? label, bool needsLabel)
    {
        var labels = new SourceColumn(label ?? Label, Label, "--label");
        if (!IsOfImages)
        {
            var file = DelimitedFile.Open(data);
            SourceColumn[] texts = [.. Inputs.Select((name, i) => i == 0
                ? new SourceColumn(_settings.Text ?? name, name, "--text")
                : new SourceColumn(_settings.Text2 ?? name, name, "--text2"))];
            return needsLabel || file.Has(labels.Source) ? file.Load(_ml, [.. texts, labels]) : Unlabelled(file.Load(_ml, texts));
        }

        var path = new SourceColumn(_settings.Path ?? Inputs[0], Inputs[0], "--path");
        var isLabelled = needsLabel || Directory.Exists(data) || (File.Exists(data) && DelimitedFile.Open(data).Has(labels.Source));
        return ImageFiles.ToTable(_ml, ImageFiles.Find(_ml, data, path, isLabelled ? labels : null), Inputs[0], Label);
    }

    /// <summary>Rows of lines: a text or a path, or the two texts of a pair with a tab between.</summary>
    /// <exception cref="UserException">A line names an image that is not there.</exception>
    public IDataView Of(IReadOnlyList<string> lines)
    {
        if (IsOfImages && lines.FirstOrDefault(line => !File.Exists(line)) is { } missing)
            throw new UserException($"There is no image '{missing}'.");
        var rows = lines.Select(line => line.Split('\t', Inputs.Count))
            .Select(texts => new Pair { First = texts[0], Second = texts.Length > 1 ? texts[1] : "" });
        var schema = SchemaDefinition.Create(typeof(Pair));
        schema[nameof(Pair.First)].ColumnName = Inputs[0];
        if (Inputs.Count > 1)
            schema[nameof(Pair.Second)].ColumnName = Inputs[1];
        return Unlabelled(_ml.Data.LoadFromEnumerable(rows, schema));
    }

    /// <summary>What the routers do with rows as the classifier itself reads them.</summary>
    public RoutingReport Report(IDataView prepared, CancellationToken stop) => Classifier is MoeTextToTextClassificationTransformer writing
        ? writing.ReportRouting(prepared, cancellationToken: stop)
        : ((MoeClassificationTransformer)Classifier).ReportRouting(prepared, cancellationToken: stop);

    /// <summary>What other routers would do with such rows.</summary>
    /// <exception cref="UserException">The classifier is none whose routers can be compared.</exception>
    public IReadOnlyList<RoutingComparison> Compare(IDataView prepared) => Classifier is MoeClassificationTransformer classes
        ? classes.CompareRouting(prepared, Routers.WorthComparing(classes.Router), Label)
        : throw new UserException("--compare is not of classifiers that tell classes by what they would write.");

    /// <summary>Rows as the classifier itself reads them.</summary>
    public IDataView Prepared(IDataView rows) => _saved.Prepared(rows);

    /// <summary>Rows with predictions.</summary>
    public IDataView Transform(IDataView rows) => _saved.Chain.Transform(rows);

    // The label's mapping to keys asks for the column; a text is no label that it knows, which gives the missing key.
    private IDataView Unlabelled(IDataView rows) => _ml.Transforms.CopyColumns(Label, Inputs[0]).Fit(rows).Transform(rows);

    private UserException Unfit(string wanted) =>
        new($"'{_saved.File}' does not read {wanted}: write a program of a few lines that loads it, as the samples do.");

    private sealed class Pair
    {
        public string First { get; set; } = "";

        public string Second { get; set; } = "";
    }
}
