using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>What a model's folder in the zip holds.</summary>
/// <param name="Columns">Names of the columns.</param>
/// <param name="Model">Configuration and weights.</param>
/// <param name="Labels">Values behind the label's keys, if any.</param>
/// <param name="Tokenizer">The tokenizer that text goes through, if any.</param>
internal sealed record SavedModel<TColumns>(TColumns Columns, FittedModel Model, LabelValues? Labels = null, TextTokenizer? Tokenizer = null)
{
    /// <summary><c>config.json</c> of the published encoder that the model was made from, as it was; null without one.</summary>
    public byte[]? EncoderConfig { get; init; }

    /// <summary>What the weight matrices are in the file.</summary>
    public ElementType StoredWeights { get; init; }
}

/// <summary>
/// Writes and reads the folder of any model: columns, configuration, weights, and label values, tokenizer and a published
/// encoder's own configuration where there are any.
/// </summary>
internal static class ModelZip
{
    /// <summary>Names of the columns.</summary>
    public const string Columns = ModelFolder.ColumnsEntry;

    /// <summary>Input, architecture and head.</summary>
    public const string Config = ModelFolder.ConfigEntry;

    /// <summary>The weights.</summary>
    public const string Weights = SafeTensors.WeightsEntry;

    private const string Storage = "Storage.json";
    private const string EncoderConfig = TokenizerEntry.FilePrefix + EncoderFiles.ConfigName;
    private const int MaximumEncoderConfigLength = 1 << 22;

    /// <summary>Longest small JSON file, in bytes.</summary>
    public const int MaximumJsonLength = ModelFolder.MaximumJsonLength;

    /// <summary>Longest file of weights, in bytes.</summary>
    public const long MaximumWeightsLength = ModelFolder.MaximumWeightsLength;

    /// <summary>Loads a model from <c>Config.json</c> and <c>Weights.safetensors</c>.</summary>
    public delegate Model<TRow> Loader<TRow>(Stream config, Stream weights, Engine engine, TextTokenizer? tokenizer);

    /// <summary>Writes the files.</summary>
    public static void Write<TColumns>(ModelFolderWriter folder, SavedModel<TColumns> saved)
    {
        JsonEntry.Write(folder, Columns, saved.Columns);
        folder.AddEntry(Config, config => folder.AddEntry(Weights, weights => saved.Model.Save(config, weights, saved.StoredWeights)));
        if (saved.StoredWeights != ElementType.Float32)
            JsonEntry.Write(folder, Storage, new StorageContent(saved.StoredWeights == ElementType.BFloat16));
        if (saved.Labels is not null)
            LabelValuesFile.Write(folder, saved.Labels);
        if (saved.Tokenizer is not null)
            TokenizerFile.Write(folder, saved.Tokenizer);
        if (saved.EncoderConfig is { } encoder)
            folder.AddEntry(EncoderConfig, stream => stream.Write(encoder));
    }

    /// <summary>Reads the files; the model lives on an engine of its own.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="load">Loads the model.</param>
    /// <param name="createRows">Reads its rows from a table.</param>
    /// <param name="create">Makes the transformer, which owns the model from then on.</param>
    /// <exception cref="InvalidDataException">A file is missing or damaged; the message names it.</exception>
    /// <exception cref="InvalidOperationException">The tokenizer is not known in this process.</exception>
    public static TTransformer Read<TColumns, TRow, TTransformer>(
        ModelFolderReader folder,
        Loader<TRow> load,
        Func<TColumns, Model<TRow>, RowSource<TRow>> createRows,
        Func<SavedModel<TColumns>, TTransformer> create)
        where TColumns : class
    {
        var columns = JsonEntry.Read<TColumns>(folder, Columns, MaximumJsonLength);
        var tokenizer = TokenizerEntry.ReadOrNull(folder);
        var encoder = folder.Has(EncoderConfig) ? folder.Read(EncoderConfig, MaximumEncoderConfigLength, ModelFolder.ReadAll) : null;
        var storesBFloat16 = folder.Has(Storage) && JsonEntry.Read<StorageContent>(folder, Storage, MaximumJsonLength).StoresBFloat16;
        var engine = Engines.Create(folder.Environment);
        try
        {
            var model = folder.Read(Config, ModelConfig.MaximumBytes, config =>
                folder.Read(Weights, MaximumWeightsLength, weights => load(config, weights, engine, tokenizer)));
            var labels = LabelValuesFile.ReadOrNull(folder, (model.Config.Head as ClassifierHeadConfig)?.Classes ?? 0);
            Check(columns, model.Config.Head, model.Experts, labels);
            var fitted = new FittedModel<TRow>(new SharedModel<Model<TRow>>(model, engine), createRows(columns, model));
            return create(new SavedModel<TColumns>(columns, fitted, labels, tokenizer)
            {
                EncoderConfig = encoder,
                StoredWeights = storesBFloat16 ? ElementType.BFloat16 : ElementType.Float32,
            });
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    private static void Check(object columns, HeadConfig head, int experts, LabelValues? labels)
    {
        if (columns is not ClassificationColumns names)
        {
            var (fits, what) = columns switch
            {
                BinaryColumns => (head is BinaryHeadConfig, "log-odds"),
                ValueColumns => (head is ValueHeadConfig, "numbers"),
                _ => (head is VectorHeadConfig, "vectors"),
            };
            if (!fits)
                throw new InvalidDataException($"{Config} is not of a model that gives {what}: the model file is damaged.");
            return;
        }

        if (head is not ClassifierHeadConfig { Classes: var classes })
            throw new InvalidDataException($"{Config} is not of a classifier: the model file is damaged.");
        if (labels is not null)
            LabelEntry.CheckCount(labels.Texts.Count, classes);
        CheckUncertainty(names, experts);
    }

    private static void CheckUncertainty(ClassificationColumns columns, int experts)
    {
        if (columns.Uncertainty is { } uncertainty && experts == 0)
            throw new InvalidDataException($"{Columns} asks for {uncertainty}, but the model has no MoE layers: the file is damaged.");
        try
        {
            columns.CheckUncertainty(
                nameof(UncertaintyColumns.Entropy), nameof(UncertaintyColumns.Uncertain), nameof(UncertaintyColumns.Threshold));
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{Columns} holds an impossible value: {e.Message}", e);
        }
    }

    /// <summary>How weights are stored, where it is not as 32-bit floats.</summary>
    /// <param name="StoresBFloat16">Whether matrices are in bfloat16.</param>
    private sealed record StorageContent(bool StoresBFloat16);
}
