using System.Globalization;
using System.IO.Compression;
using System.Text.Json;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// A text classifier out of a model zip as <c>mlContext.Model.Save</c> writes it, read and scored without ML.NET: for programs that shall be
/// small or start fast, native ones too. Scores are those of the transformer, to the last bit. Other steps that the zip may hold are passed over:
/// the texts are what the classifier's own columns would hold. Safe to use from several threads at once.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// using var classifier = SavedTextClassifier.Load("intents.zip");
/// var (label, probability) = classifier.Classify("book a table for two");
/// ]]></code>
/// </example>
public sealed class SavedTextClassifier : IDisposable
{
    /// <summary>The kind of model, as ML.NET's loaders name it.</summary>
    internal const string Kind = "MOETXTCL";

    private const string Columns = ModelFolder.ColumnsEntry;
    private const string Config = ModelFolder.ConfigEntry;
    private const string SecondText = "sentence2";
    private readonly TextInput _input;

    private SavedTextClassifier(Model<EncodedText> model, IReadOnlyList<string> labels, bool readsPairs)
    {
        (Model, Labels, ReadsPairs) = (model, labels, readsPairs);
        _input = (TextInput)model.Input;
    }

    /// <summary>The labels, in the order of <see cref="Score(IReadOnlyList{string}, Span{float})"/>; where the label's keys have no values, their numbers from 1.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>Whether the model reads pairs of texts.</summary>
    public bool ReadsPairs { get; }

    /// <summary>The model, which belongs to this object.</summary>
    public Model<EncodedText> Model { get; }

    /// <summary>Reads a file.</summary>
    /// <param name="path">The model zip.</param>
    /// <param name="threads">Threads that share the work, at least 1; null, the default, for all CPUs.</param>
    /// <exception cref="InvalidDataException">
    /// The file is no model zip, is damaged or newer than this library, or does not hold one text classifier; the message says which.
    /// </exception>
    /// <exception cref="InvalidOperationException">The tokenizer is to be registered first (<see cref="TextTokenizer.Register"/>).</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SavedTextClassifier Load(string path, int? threads = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var file = File.OpenRead(path);
        return Load(file, threads);
    }

    /// <summary>Reads a stream.</summary>
    /// <param name="zip">The model zip, from its first byte; can be read anywhere, and stays open.</param>
    /// <param name="threads">Threads that share the work, at least 1; null, the default, for all CPUs.</param>
    /// <inheritdoc cref="Load(string, int?)" path="/exception"/>
    public static SavedTextClassifier Load(Stream zip, int? threads = null)
    {
        ArgumentNullException.ThrowIfNull(zip);
        var engine = new ManagedEngine(threads);
        try
        {
            using var archive = Open(zip);
            return Read(ZipModelFolder.Find(archive, zip.Length, Kind, "text classifier"), engine);
        }
        catch (ArgumentException e)
        {
            engine.Dispose();
            throw new InvalidDataException("The model file is damaged: its entries do not fit each other.", e);
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    /// <summary>Tells the most probable label of a text.</summary>
    /// <param name="text">The text; a blank one is an empty one.</param>
    /// <param name="second">The second of a pair of texts; null for none.</param>
    /// <returns>The label and its probability.</returns>
    /// <exception cref="ArgumentException">There is a second text and the model reads single ones, or the other way about.</exception>
    public (string Label, float Probability) Classify(string text, string? second = null)
    {
        var probabilities = new float[Labels.Count];
        Score([text], second is null ? null : [second], probabilities);
        var best = Math.Max(0, ClassifierHead.MostProbable(probabilities));
        return (Labels[best], probabilities[best]);
    }

    /// <summary>Scores texts.</summary>
    /// <param name="texts">N texts.</param>
    /// <param name="probabilities">Receives N × <see cref="Labels"/> probabilities, row-major.</param>
    /// <exception cref="ArgumentException">The model reads pairs, or there is too little room.</exception>
    public void Score(IReadOnlyList<string> texts, Span<float> probabilities) => Score(texts, null, probabilities);

    /// <summary>Scores pairs of texts.</summary>
    /// <param name="texts">N texts.</param>
    /// <param name="second">As many second texts; null where the model reads single ones.</param>
    /// <param name="probabilities">Receives N × <see cref="Labels"/> probabilities, row-major.</param>
    /// <exception cref="ArgumentException">The model reads the other, the texts are not as many, or there is too little room.</exception>
    public void Score(IReadOnlyList<string> texts, IReadOnlyList<string>? second, Span<float> probabilities)
    {
        ArgumentNullException.ThrowIfNull(texts);
        if (second is null == ReadsPairs)
            throw new ArgumentException(ReadsPairs ? "The model reads pairs of texts." : "The model reads single texts, not pairs.", nameof(second));
        if (second is not null && second.Count != texts.Count)
            throw new ArgumentException($"There are {texts.Count} texts, but {second.Count} second ones.", nameof(second));
        var rows = new EncodedText[texts.Count];
        Model.Engine.ForEach(rows.Length, i => rows[i] = _input.Encode(texts[i], second?[i]));
        Model.Score(rows, probabilities);
    }

    /// <summary>Ends the threads and gives the weights back.</summary>
    public void Dispose() => Model.Engine.Dispose();

    private static ZipArchive Open(Stream zip)
    {
        try
        {
            var archive = new ZipArchive(zip, ZipArchiveMode.Read, leaveOpen: true);
            _ = archive.Entries; // read here, not when the first is asked for
            return archive;
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"The file is no model zip, or is damaged: {e.Message}", e);
        }
    }

    private static SavedTextClassifier Read(ZipModelFolder folder, ManagedEngine engine)
    {
        var readsPairs = folder.Read(Columns, ModelFolder.MaximumJsonLength, HasSecondText);
        var tokenizer = TokenizerEntry.ReadOrNull(folder);
        var model = folder.Read(Config, ModelConfig.MaximumBytes, config => folder.Read(
            Files.SafeTensors.WeightsEntry, ModelFolder.MaximumWeightsLength, weights => ModelFiles.LoadText(config, weights, engine, tokenizer?.OfModel)));
        if (model.Config.Head is not ClassifierHeadConfig { Classes: var classes })
            throw new InvalidDataException($"{Config} is not of a classifier: the model file is damaged.");
        return new SavedTextClassifier(model, LabelsOf(folder, classes), readsPairs);
    }

    private static IReadOnlyList<string> LabelsOf(ZipModelFolder folder, int classes)
    {
        if (LabelEntry.ReadOrNull(folder, classes) is not { Values: var values })
            return [.. Enumerable.Range(1, classes).Select(key => key.ToString(CultureInfo.InvariantCulture))];
        LabelEntry.CheckCount(values.Count, classes);
        return [.. values.Select(value => value ?? throw new InvalidDataException($"{LabelEntry.Name} lacks a value: the model file is damaged."))];
    }

    private static bool HasSecondText(Stream columns)
    {
        try
        {
            using var json = JsonDocument.Parse(columns);
            if (json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty(SecondText, out var second))
                return second.ValueKind == JsonValueKind.String;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{Columns} cannot be read; the model file is damaged or newer than this library.", e);
        }

        throw new InvalidDataException($"{Columns} does not say what the model reads; the model file is damaged or newer than this library.");
    }
}
