using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>
/// Writes and reads the folder of a model that writes text, but for its <c>Columns.json</c>: <c>Config.json</c> and
/// <c>Weights.safetensors</c> as any model has them, <c>Generator.json</c>, and the model's configuration and tokenizer as they were
/// published, under names that begin with <c>HuggingFace.</c> Where the weights stay in the model's folder, <c>Generator.json</c> names it
/// with a digest, and adapters beside them are in <c>Adapters.safetensors</c>.
/// </summary>
internal static class GeneratorZip
{
    private const string Generator = "Generator.json";
    private const int MaximumGeneratorLength = 1 << 20;

    /// <summary>Writes the files.</summary>
    /// <param name="folder">Takes them.</param>
    /// <param name="model">Configuration and weights.</param>
    /// <param name="generator">Tokenizer and defaults.</param>
    /// <param name="state">What is kept besides; <c>Columns.json</c> is the caller's.</param>
    public static void Write(ModelFolderWriter folder, FittedModel model, TextGenerator generator, GeneratorState state)
    {
        var files = generator.Files.ByName;
        JsonEntry.Write(folder, Generator, new Content(
            state.Options,
            generator.Defaults,
            state.BatchSize,
            state.MaximumPromptTokens,
            generator.StartToken,
            generator.IsEncoderDecoder,
            state.Weights,
            [.. files.Keys],
            state.Source is { } source ? new Reference(source.Name, source.IsOnHub, WeightsDigest.Of(source.ResolveFolder())) : null,
            state.Prompt));
        TokenizerFile.WriteFiles(folder, files);
        if (state.Source is not null)
        {
            folder.AddEntry(ModelZip.Config, model.Config.Write);
            if (model.Config.Adaptation is not null)
                folder.AddEntry(Model<EncodedText>.AdaptersEntry, model.SaveAdapters);
            return;
        }

        folder.AddEntry(ModelZip.Config, config => folder.AddEntry(ModelZip.Weights, weights => model.Save(config, weights, matrices: null)));
    }

    /// <summary>Reads the files; the model lives on an engine of its own.</summary>
    /// <param name="folder">Has them.</param>
    /// <param name="create">Makes the transformer, which owns the model from then on.</param>
    /// <exception cref="InvalidDataException">
    /// A file is missing or damaged, or the folder with the weights has changed; the message names it.
    /// </exception>
    /// <exception cref="IOException">The folder with the weights is not there.</exception>
    public static TTransformer Read<TTransformer>(
        ModelFolderReader folder, Func<SharedModel<Model<EncodedText>>, TextGenerator, GeneratorState, TTransformer> create)
    {
        var content = ReadContent(folder);
        var files = EncoderFiles.Of(TokenizerEntry.ReadFiles(folder, content.Files, Generator));
        var engine = Engines.Create(folder.Environment);
        try
        {
            var named = content.Folder?.ToModel();
            var source = named is null ? null : ReferredFolder.Find(named);
            var model = source is null
                ? folder.Read(ModelZip.Config, ModelZip.MaximumJsonLength, config => folder.Read(
                    ModelZip.Weights,
                    ModelZip.MaximumWeightsLength,
                    weights => ModelFiles.LoadGenerator(config, weights, engine, files.Tokenizer, content.Weights)))
                : LoadReferred(folder, engine, source, named!.Name, content);
            return create(
                new SharedModel<Model<EncodedText>>(model, engine),
                new TextGenerator(files, content.Defaults, content.StartToken, content.IsEncoderDecoder),
                new GeneratorState(
                    content.Options,
                    content.BatchSize,
                    content.MaximumPromptTokens,
                    source is null ? Engines.PrecisionOn(engine, content.Weights, folder.Environment) : content.Weights,
                    source,
                    content.Prompt));
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    private static Content ReadContent(ModelFolderReader folder)
    {
        Content content;
        try
        {
            content = JsonEntry.Read<Content>(folder, Generator, MaximumGeneratorLength);
            content.Prompt?.Check();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            throw new InvalidDataException($"{Generator} holds an impossible value: {e.Message}", e);
        }

        return content is { BatchSize: >= 1, MaximumPromptTokens: null or >= 1 } && Enum.IsDefined(content.Weights)
            ? content
            : throw new InvalidDataException($"{Generator} holds an impossible value: the model file is damaged.");
    }

    private static Model<EncodedText> LoadReferred(
        ModelFolderReader folder, Engine engine, PublishedModel source, string name, Content content)
    {
        var path = source.ResolveFolder();
        if (WeightsDigest.Of(path) != content.Folder!.Digest)
        {
            throw new InvalidDataException(
                $"The files in {path} are not those that the model was saved with: put those back, or fit and save the model again.");
        }

        var config = folder.Read(ModelZip.Config, ModelZip.MaximumJsonLength, ModelConfig.Read);
        var (_, model) = TextGenerator.Load(
            engine, path, Engines.PrecisionOn(engine, content.Weights, folder.Environment), name);
        if (config.Adaptation is { } adaptation)
        {
            model = folder.Read(
                Model<EncodedText>.AdaptersEntry, ModelZip.MaximumWeightsLength, adapters => model.WithAdapters(adaptation, adapters));
        }

        return config.Encoder.MoeLayers > 0 && config.Encoder.Router != model.Router ? model.WithRouting(config.Encoder.Router) : model;
    }

    /// <summary>What <c>Generator.json</c> holds.</summary>
    private sealed record Content(
        GenerationOptions Options,
        GenerationOptions Defaults,
        int BatchSize,
        int? MaximumPromptTokens,
        int? StartToken,
        bool IsEncoderDecoder,
        WeightPrecision Weights,
        IReadOnlyList<string> Files,
        Reference? Folder,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] PromptSettings? Prompt = null);

    /// <summary>Where the weights are.</summary>
    private sealed record Reference(string Name, bool IsOnHub, string Digest)
    {
        public PublishedModel ToModel()
        {
            if (string.IsNullOrEmpty(Name))
                throw new InvalidDataException($"{Generator} names no folder: the model file is damaged.");
            return IsOnHub ? PublishedModel.FromHub(Name) : PublishedModel.FromFolder(Name);
        }
    }
}

/// <summary>What is kept of a model that writes text beside its columns, weights and tokenizer.</summary>
/// <param name="Options">How it writes; complete.</param>
/// <param name="BatchSize">Prompts that are answered at the same time.</param>
/// <param name="MaximumPromptTokens">See <see cref="GenerateTextOptions.MaximumPromptTokens"/>.</param>
/// <param name="Weights">See <see cref="GenerateTextOptions.Weights"/>.</param>
/// <param name="Source">Where the weights stay; null where the model zip holds them.</param>
/// <param name="Prompt">How rows become prompts; null for the text of a column as it is.</param>
internal sealed record GeneratorState(
    GenerationOptions Options,
    int BatchSize,
    int? MaximumPromptTokens,
    WeightPrecision Weights,
    PublishedModel? Source,
    PromptSettings? Prompt = null);
