using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Embeddings;

/// <summary>
/// Writes an embedder as a folder that transformers and sentence-transformers load: the encoder's weights under their published names, its
/// configuration and tokenizer as they were, and <c>modules.json</c> with what it names, in the form that all releases read.
/// </summary>
internal static class SentenceFolderWriter
{
    /// <summary>Writes a folder.</summary>
    /// <param name="embedder">The embedder.</param>
    /// <param name="folder">Path of the folder; made if it is not there. Files of the same names are replaced.</param>
    /// <param name="type">Type of the weights in the file.</param>
    /// <exception cref="InvalidOperationException">Those libraries have no form for what the embedder is; the message says why.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static void Write(TextEmbedder embedder, string folder, ElementType type)
    {
        var model = embedder.Model;
        var head = (EmbeddingHeadConfig)model.Config.Head;
        if (head is not { Layers: null, HasRouterWeights: false } || head.Modules.Any(m => m is StandardizeModule))
        {
            throw new InvalidOperationException(
                "Embeddings of several layers, of router weights or standardised ones have no form in sentence-transformers: save the model as a "
                + "zip, or an encoder without these options.");
        }

        WriteEncoder(
            folder,
            embedder.Files,
            (PublishedConfig)model.Config.Encoder,
            model.Parameters.All.Select(p => p.Parameter),
            type,
            model.Config.BaseModel,
            "sentence-transformers");
        WriteModules(folder, embedder, head, type);
        PublishedFolderWriter.WriteJson(folder, "sentence_bert_config.json", new JsonObject
        {
            ["max_seq_length"] = embedder.MaximumTokens,
            ["do_lower_case"] = embedder.Text.Lowercase,
        });
        PublishedFolderWriter.WriteJson(folder, "config_sentence_transformers.json", new JsonObject
        {
            ["prompts"] = new JsonObject(embedder.Text.Prompts.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)p.Value))),
            ["default_prompt_name"] = embedder.Text.DefaultPromptName,
            ["similarity_fn_name"] = embedder.Text.Similarity,
        });
    }

    /// <summary>Writes an encoder: <c>config.json</c>, <c>model.safetensors</c> and the tokenizer's files.</summary>
    /// <param name="folder">Path of the folder; made if it is not there.</param>
    /// <param name="files">Files that belong to the encoder.</param>
    /// <param name="config">The architecture.</param>
    /// <param name="parameters">The parameters; those of a head that is not published are left out.</param>
    /// <param name="type">Type of the weights in the file.</param>
    /// <param name="baseModel">What the encoder was made from, for its page; null writes none.</param>
    /// <param name="library">Which library the page says loads it.</param>
    /// <exception cref="InvalidOperationException">The encoder is none that is published, such as a mixture made of a dense one.</exception>
    public static void WriteEncoder(
        string folder,
        EncoderFiles files,
        PublishedConfig config,
        IEnumerable<Parameter> parameters,
        ElementType type,
        BaseModel? baseModel = null,
        string library = "transformers")
    {
        // rules make experts out of dense layers, but not the other way round
        if (config.MoeLayers > 0 && config is not NomicBertConfig { SharesExpertBias: true })
        {
            throw new InvalidOperationException(
                $"A mixture that was made out of {config.Architecture} has no form in Hugging Face's libraries: save the model as a zip.");
        }

        var tensors = PublishedTensors.Of(
            parameters.Where(p => !p.Name.StartsWith("head.", StringComparison.Ordinal) && !p.Name.StartsWith("pooling.", StringComparison.Ordinal)),
            config.CreateRules(),
            type);
        PublishedFolderWriter.Write(folder, files, tensors, type, baseModel, library);
    }

    private static void WriteModules(string folder, TextEmbedder embedder, EmbeddingHeadConfig head, ElementType type)
    {
        var modules = new JsonArray();
        Add("Transformer", "");
        PublishedFolderWriter.WriteJson(Add("Pooling", "Pooling"), EncoderFiles.ConfigName, PoolingJson(embedder, head));
        var width = head.PooledWidth(embedder.Model.Config.Encoder);
        foreach (var (number, module) in head.Modules.Index())
        {
            if (module is DenseModule dense)
                WriteDense(Add("Dense", "Dense"), dense, width, embedder, EmbeddingHeadConfig.NameOf(number), type);
            else
                PublishedFolderWriter.WriteJson(Add("Normalize", "Normalize"), EncoderFiles.ConfigName, new JsonObject());
            width = module.WidthAfter(width);
        }

        PublishedFolderWriter.WriteJson(folder, "modules.json", modules);

        string Add(string kind, string path)
        {
            var number = modules.Count;
            var own = path.Length == 0 ? "" : $"{number}_{path}";
            modules.Add((JsonNode)new JsonObject
            {
                ["idx"] = number,
                ["name"] = $"{number}",
                ["path"] = own,
                ["type"] = "sentence_transformers.models." + kind,
            });
            return Directory.CreateDirectory(Path.Combine(folder, own)).FullName;
        }
    }

    private static JsonObject PoolingJson(TextEmbedder embedder, EmbeddingHeadConfig head)
    {
        var json = new JsonObject { ["word_embedding_dimension"] = embedder.Model.Config.Encoder.Width };
        // flags have an order of their own; only newer releases read another
        if (head.Pooling.SequenceEqual(head.Pooling.Distinct().Order()))
        {
            foreach (var (flag, pooling) in SentenceFolder.PoolingFlags)
                json[flag] = head.Pooling.Contains(pooling);
        }
        else
        {
            json["pooling_mode"] = new JsonArray([.. head.Pooling.Select(p => (JsonNode)SentenceFolder.NameOf(p))]);
        }

        json["include_prompt"] = embedder.Text.IncludesPrompt;
        return json;
    }

    private static void WriteDense(string folder, DenseModule dense, int input, TextEmbedder embedder, string name, ElementType type)
    {
        PublishedFolderWriter.WriteJson(folder, EncoderFiles.ConfigName, new JsonObject
        {
            ["in_features"] = input,
            ["out_features"] = dense.Width,
            ["bias"] = dense.HasBias,
            ["activation_function"] = "torch.nn.modules." + (dense.Activation == Activation.None ? "linear." : "activation.")
                + SentenceFolder.NameOf(dense.Activation),
        });
        var own = embedder.Model.Parameters.All.Select(p => p.Parameter).Where(p => p.Name.StartsWith(name + ".", StringComparison.Ordinal));
        SafeTensorsWriter.WriteFolder(folder, PublishedTensors.Of(own, DenseWeights.Rules(name), type));
    }
}
