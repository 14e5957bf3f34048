using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Folders of published encoders that are small enough to be made in a test, with random weights.</summary>
internal static class TinyPublished
{
    public const string Bert = """
        {
          "model_type": "bert", "architectures": ["BertModel"], "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 3,
          "num_attention_heads": 2, "intermediate_size": 24, "max_position_embeddings": 20, "hidden_dropout_prob": 0,
          "attention_probs_dropout_prob": 0
        }
        """;

    public const string NomicMixture = """
        {
          "model_type": "nomic_bert", "vocab_size": 40, "n_embd": 16, "n_layer": 4, "n_head": 2, "n_inner": 12, "n_positions": 64,
          "type_vocab_size": 1, "pad_token_id": 1, "activation_function": "gelu", "rotary_emb_fraction": 1.0, "num_experts": 4, "moe_top_k": 2,
          "moe_every_n_layers": 2, "max_trained_positions": 6, "rotary_scaling_factor": 2.0
        }
        """;

    /// <summary>Dense, with gated feed-forward networks of width 256 without biases.</summary>
    public const string GatedNomic = """
        {
          "model_type": "nomic_bert", "vocab_size": 40, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_inner": 32, "n_positions": 64,
          "type_vocab_size": 1, "pad_token_id": 1, "activation_function": "swiglu", "rotary_emb_fraction": 1.0, "mlp_fc1_bias": false,
          "mlp_fc2_bias": false, "resid_pdrop": 0, "attn_pdrop": 0
        }
        """;

    /// <summary>A configuration with some values changed; null removes one.</summary>
    public static string With(this string config, params (string Name, object? Value)[] changes)
    {
        var json = JsonNode.Parse(config)!.AsObject();
        foreach (var (name, value) in changes)
        {
            json.Remove(name);
            if (value is not null)
                json[name] = JsonSerializer.SerializeToNode(value);
        }

        return json.ToJsonString();
    }

    /// <summary>Writes <c>config.json</c> and <c>model.safetensors</c>.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="config">The configuration.</param>
    /// <param name="change">Changes the tensors, by name, before they are written.</param>
    public static PublishedFolder Write(string folder, string config, Action<Dictionary<string, NamedValues>>? change = null)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), config);
        var opened = PublishedFolder.Open(folder);
        var random = new Random(7);
        var tensors = ShapesOf(opened.Encoder).ToDictionary(
            t => t.Name,
            t => new NamedValues(t.Name, t.Shape, [.. Enumerable.Range(0, t.Shape.Aggregate(1, (a, b) => a * b)).Select(_ => random.NextSingle() - 0.5f)]));
        change?.Invoke(tensors);
        using (var stream = File.Create(Path.Combine(folder, "model.safetensors")))
            SafeTensors.Write(stream, [.. tensors.Values]);
        return opened;
    }

    /// <summary>Writes a <c>tokenizer.json</c>: each small letter is a token, between [CLS] and [SEP]; anything else is [UNK].</summary>
    /// <param name="folder">Where.</param>
    public static void WriteTokenizer(string folder)
    {
        string[] tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. Enumerable.Range('a', 26).Select(c => ((char)c).ToString())];
        object Special(int id) => new { id, content = tokens[id], single_word = false, lstrip = false, rstrip = false, normalized = false, special = true };
        object Part(string token) => new { SpecialToken = new { id = token, type_id = 0 } };
        object Text(string name) => new { Sequence = new { id = name, type_id = 0 } };
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), JsonSerializer.Serialize(new
        {
            version = "1.0",
            truncation = (object?)null,
            padding = (object?)null,
            added_tokens = Enumerable.Range(0, 5).Select(Special),
            normalizer = new { type = "Lowercase" },
            pre_tokenizer = (object?)null,
            post_processor = new
            {
                type = "TemplateProcessing",
                single = new[] { Part("[CLS]"), Text("A"), Part("[SEP]") },
                pair = new[] { Part("[CLS]"), Text("A"), Part("[SEP]"), Text("B"), Part("[SEP]") },
                special_tokens = new[] { 2, 3 }.ToDictionary(id => tokens[id], id => new { id = tokens[id], ids = new[] { id }, tokens = new[] { tokens[id] } }),
            },
            decoder = (object?)null,
            model = new { type = "BPE", unk_token = "[UNK]", vocab = tokens.Index().ToDictionary(t => t.Item, t => t.Index), merges = Array.Empty<string>() },
        }));
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), """{ "model_max_length": 16, "cls_token": "[CLS]", "sep_token": "[SEP]" }""");
    }

    /// <summary>Names and shapes of an encoder's tensors as they are published.</summary>
    private static IEnumerable<(string Name, int[] Shape)> ShapesOf(PublishedConfig config)
    {
        var (d, f) = (config.Width, config.FeedForwardWidth);
        var isNomic = config is NomicBertConfig;
        yield return ("embeddings.word_embeddings.weight", [config.VocabularySize, d]);
        yield return ("embeddings.token_type_embeddings.weight", [config.TokenTypes, d]);
        if (config.HasPositionTable)
            yield return ("embeddings.position_embeddings.weight", [config.Positions, d]);
        foreach (var norm in Norm(isNomic ? "emb_ln" : "embeddings.LayerNorm"))
            yield return norm;
        for (var l = 0; l < config.Layers; l++)
            foreach (var tensor in isNomic ? Nomic($"encoder.layers.{l}.", l) : Bert($"encoder.layer.{l}."))
                yield return tensor;

        IEnumerable<(string, int[])> Bert(string layer) =>
        [
            .. Linear(layer + "attention.self.query", d, d), .. Linear(layer + "attention.self.key", d, d),
            .. Linear(layer + "attention.self.value", d, d), .. Linear(layer + "attention.output.dense", d, d),
            .. Norm(layer + "attention.output.LayerNorm"), .. Linear(layer + "intermediate.dense", d, f),
            .. Linear(layer + "output.dense", f, d), .. Norm(layer + "output.LayerNorm"),
        ];

        IEnumerable<(string, int[])> Nomic(string layer, int l) =>
        [
            .. Linear(layer + "attn.Wqkv", d, 3 * d), .. Linear(layer + "attn.out_proj", d, d), .. Norm(layer + "norm1"), .. Norm(layer + "norm2"),
            .. config.HasExperts(l)
                ?
                [
                    (layer + "mlp.router.layer.weight", [config.Experts, d]), (layer + "mlp.experts.bias", [d]),
                    (layer + "mlp.experts.mlp.w1", [config.Experts * f, d]), (layer + "mlp.experts.mlp.w2", [config.Experts * f, d]),
                ]
                : config is NomicBertConfig { HasGate: true }
                ? [(layer + "mlp.fc11.weight", [f, d]), (layer + "mlp.fc12.weight", [f, d]), (layer + "mlp.fc2.weight", [d, f])]
                : Linear(layer + "mlp.fc1", d, f).Concat(Linear(layer + "mlp.fc2", f, d)),
        ];

        IEnumerable<(string, int[])> Linear(string name, int input, int output) => [(name + ".weight", [output, input]), (name + ".bias", [output])];

        IEnumerable<(string, int[])> Norm(string name) => [(name + ".weight", [d]), (name + ".bias", [d])];
    }
}

/// <summary>Letters as ids from 5 on, between a start token, 2, and separators, 3.</summary>
internal sealed class LetterIds : IPublishedTokenizer
{
    public int VocabularySize => 31;

    public IReadOnlyList<int> Encode(string text) => [.. text.Where(char.IsAsciiLetterLower).Select(c => c - 'a' + 5)];

    public string? TextOf(int id) => id >= 5 ? ((char)('a' + id - 5)).ToString() : null;

    public int SpecialTokens(bool isPair) => isPair ? 3 : 2;

    public TokenIds WithSpecialTokens(ReadOnlySpan<int> first, ReadOnlySpan<int> second, bool isPair) => isPair
        ? new TokenIds([2, .. first, 3, .. second, 3], [.. new int[first.Length + 2], .. Enumerable.Repeat(1, second.Length + 1)])
        : new TokenIds([2, .. first, 3]);
}
