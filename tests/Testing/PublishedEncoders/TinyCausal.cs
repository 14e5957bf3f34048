using System.Text.Json;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Folders of published models that write and are small enough to be made in a test, with random weights and letters as tokens.</summary>
internal static class TinyCausal
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

    /// <summary>An encoder–decoder with four experts in one block of each stack; nothing random.</summary>
    public const string Switch = """
        {
          "model_type": "switch_transformers", "architectures": ["SwitchTransformersForConditionalGeneration"], "vocab_size": 32, "d_model": 16,
          "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 2, "num_sparse_encoder_layers": 1, "num_sparse_decoder_layers": 1,
          "num_heads": 2, "num_experts": 4, "expert_capacity": 64, "router_jitter_noise": 0, "dropout_rate": 0, "decoder_start_token_id": 0,
          "eos_token_id": 1, "pad_token_id": 0
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
    public static string Write(
        string folder,
        string config = Olmoe,
        ElementType type = ElementType.Float32,
        string? generation = null,
        ElementType? routers = null)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), config);
        if (generation is not null)
            File.WriteAllText(Path.Combine(folder, "generation_config.json"), generation);
        var encoder = PublishedFolder.Open(folder).Encoder;
        using var engine = new ManagedEngine(1);
        var store = new ParameterStore(engine, seed: 3);
        encoder.CreateTokenEmbedding(store);
        encoder.CreateEncoder(store);
        encoder.WritingHead!.CreateHead(store, encoder);
        using (var stream = File.Create(Path.Combine(folder, "model.safetensors")))
        {
            var ofRouters = store.Of(ParameterRole.Router);
            SafeTensorsWriter.Write(stream, PublishedTensors.Of(
                store.All.Select(p => p.Parameter), encoder.CreateRules(), p => ofRouters.Contains(p) ? routers ?? type : type));
        }

        WriteTokenizer(folder, endsTexts: encoder.IsEncoderDecoder);
        return folder;
    }

    // a text for an encoder–decoder ends with the end token
    private static void WriteTokenizer(string folder, bool endsTexts) => File.WriteAllText(Path.Combine(folder, "tokenizer.json"), JsonSerializer.Serialize(new
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
        post_processor = endsTexts
            ? new
            {
                type = "TemplateProcessing",
                single = new object[] { new { Sequence = new { id = "A", type_id = 0 } }, new { SpecialToken = new { id = Tokens[1], type_id = 0 } } },
                pair = new object[]
                {
                    new { Sequence = new { id = "A", type_id = 0 } }, new { SpecialToken = new { id = Tokens[1], type_id = 0 } },
                    new { Sequence = new { id = "B", type_id = 0 } }, new { SpecialToken = new { id = Tokens[1], type_id = 0 } },
                },
                special_tokens = new Dictionary<string, object> { [Tokens[1]] = new { id = Tokens[1], ids = new[] { 1 }, tokens = new[] { Tokens[1] } } },
            }
            : (object?)null,
        decoder = new { type = "Fuse" },
        model = new { type = "BPE", unk_token = "<unk>", vocab = Tokens.Index().ToDictionary(t => t.Item, t => t.Index), merges = Array.Empty<string>() },
    }));
}
