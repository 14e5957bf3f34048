using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>
/// Writes and reads the folder of an embedder: <c>Columns.json</c>, <c>Config.json</c> and <c>Weights.safetensors</c> as any model has them,
/// <c>Embedder.json</c>, and the encoder's configuration and tokenizer, as they were published, under names that begin with
/// <c>HuggingFace.</c>
/// </summary>
internal static class EmbedderZip
{
    private const string Embedder = "Embedder.json";
    private const int MaximumEmbedderLength = 1 << 24;

    /// <summary>Makes the transformer, which owns the model from then on.</summary>
    public delegate T Factory<out T>(TextEncoderColumns columns, FittedModel model, TextEmbedder embedder, ElementType storedWeights);

    /// <summary>Writes the files.</summary>
    public static void Write(
        ModelFolderWriter folder, TextEncoderColumns columns, FittedModel model, TextEmbedder embedder, ElementType storedWeights)
    {
        var files = embedder.Files.ByName;
        JsonEntry.Write(folder, ModelZip.Columns, columns);
        var precision = embedder.Weights;
        JsonEntry.Write(folder, Embedder, new Content(
            embedder.Text,
            storedWeights == ElementType.BFloat16,
            [.. files.Keys],
            precision == WeightPrecision.Float32 ? null : precision));
        // int8 has been rounded already
        ElementType? matrices = precision == WeightPrecision.Float32
            || (precision == WeightPrecision.AsStored && storedWeights == ElementType.BFloat16) ? storedWeights : null;
        folder.AddEntry(
            ModelZip.Config, config => folder.AddEntry(ModelZip.Weights, weights => model.Save(config, weights, matrices)));
        TokenizerFile.WriteFiles(folder, files);
    }

    /// <summary>Reads the files; the model lives on an engine of its own.</summary>
    /// <exception cref="InvalidDataException">A file is missing or damaged; the message names it.</exception>
    public static T Read<T>(ModelFolderReader folder, Factory<T> create)
    {
        var columns = JsonEntry.Read<TextEncoderColumns>(folder, ModelZip.Columns, ModelZip.MaximumJsonLength);
        var content = JsonEntry.Read<Content>(folder, Embedder, MaximumEmbedderLength);
        if (content.Weights is { } stored && !Enum.IsDefined(stored))
            throw new InvalidDataException($"{Embedder} holds an impossible value: the model file is damaged.");
        var files = EncoderFiles.Of(TokenizerEntry.ReadFiles(folder, content.Files, Embedder));
        var engine = Engines.Create(folder.Environment);
        try
        {
            var model = folder.Read(ModelZip.Config, ModelZip.MaximumJsonLength, config => folder.Read(
                ModelZip.Weights, ModelZip.MaximumWeightsLength, weights => content.Weights is { } precision
                    ? ModelFiles.LoadEmbedder(config, weights, engine, files.Tokenizer, precision)
                    : ModelFiles.LoadText(config, weights, engine, files.Tokenizer)));
            if (model.Config is not { Head: EmbeddingHeadConfig, Input: PublishedTextInputConfig })
                throw new InvalidDataException($"{ModelZip.Config} is not of a model that embeds texts: the model file is damaged.");
            var embedder = new TextEmbedder(model, content.Text, files)
            {
                Weights = content.Weights is { } loaded ? Engines.PrecisionOn(engine, loaded, folder.Environment) : WeightPrecision.Float32,
            };
            var fitted = new FittedModel<EncodedText>(
                new SharedModel<Model<EncodedText>>(model, engine), new EmbedderRows(columns.Input, embedder));
            return create(columns, fitted, embedder, content.StoresBFloat16 ? ElementType.BFloat16 : ElementType.Float32);
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    private sealed record Content(
        EmbedderText Text,
        bool StoresBFloat16,
        IReadOnlyList<string> Files,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] WeightPrecision? Weights = null);
}
