using System.Text.Json;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Folders of published causal models that are small enough to be made in a test, with random weights and letters as tokens.</summary>
internal static class TinyLanguageModel
{
    /// <summary>A mixture of eight experts in each of two blocks.</summary>
    public const string Olmoe = """
        {
          "model_type": "olmoe", "architectures": ["OlmoeForCausalLM"], "vocab_size": 32, "hidden_size": 16, "intermediate_size": 12,
          "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64, "num_experts": 8,
          "num_experts_per_tok": 2, "norm_topk_prob": true, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": false,
          "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0
        }
        """;

    /// <summary>Dense.</summary>
    public const string Llama = """
        {
          "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 32, "hidden_size": 16, "intermediate_size": 24,
          "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "bos_token_id": 2,
          "eos_token_id": 1, "pad_token_id": 0
        }
        """;

    /// <summary>Ids of the tokenizer's tokens.</summary>
    public static IReadOnlyList<string> Tokens { get; } = ["<pad>", "</s>", "<s>", "<unk>", " ", .. Enumerable.Range('a', 26).Select(c => ((char)c).ToString())];

    /// <summary>Writes <c>config.json</c>, <c>model.safetensors</c> and a tokenizer whose tokens are letters and the space.</summary>
    public static string Write(string folder, string config = Olmoe, ElementType type = ElementType.Float32, string? generation = null)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), config);
        if (generation is not null)
            File.WriteAllText(Path.Combine(folder, "generation_config.json"), generation);
        var encoder = (CausalConfig)PublishedFolder.Open(folder).Encoder;
        using var engine = new ManagedEngine(1);
        var store = new ParameterStore(engine, seed: 3);
        encoder.CreateTokenEmbedding(store);
        encoder.CreateEncoder(store);
        _ = new NextTokenHead(store, encoder);
        using (var stream = File.Create(Path.Combine(folder, "model.safetensors")))
            SafeTensorsWriter.Write(stream, PublishedTensors.Of(store.All.Select(p => p.Parameter), encoder.CreateRules(), type));
        WriteTokenizer(folder);
        return folder;
    }

    private static void WriteTokenizer(string folder) => File.WriteAllText(Path.Combine(folder, "tokenizer.json"), JsonSerializer.Serialize(new
    {
        version = "1.0",
        truncation = (object?)null,
        padding = (object?)null,
        added_tokens = Enumerable.Range(0, 4).Select(id => new
        {
            id,
            content = Tokens[id],
            single_word = false,
            lstrip = false,
            rstrip = false,
            normalized = false,
            special = true,
        }),
        normalizer = (object?)null,
        pre_tokenizer = (object?)null,
        post_processor = (object?)null,
        decoder = new { type = "Fuse" },
        model = new { type = "BPE", unk_token = "<unk>", vocab = Tokens.Index().ToDictionary(t => t.Item, t => t.Index), merges = Array.Empty<string>() },
    }));
}
