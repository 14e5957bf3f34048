using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.References;

/// <summary>
/// A published mixture with random weights in bfloat16, in a folder of the temporary files that goes when this is disposed, at the
/// latest with the process.
/// </summary>
internal sealed class RandomCheckpoint : IDisposable
{
    private const long ShardBytes = 2L << 30;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("moe-benchmarks-");

    private RandomCheckpoint(object config, IEnumerable<(string Name, int[] Shape)> tensors)
    {
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Dispose();
        Config = JsonSerializer.SerializeToElement(config);
        Tensors = [.. tensors.Select((t, number) => new RandomTensor(t.Name, t.Shape, () => Bits(t.Shape, number)))];
        File.WriteAllText(Path.Combine(Folder, "config.json"), Config.GetRawText());
        SafeTensorsWriter.WriteFolder(
            Folder, [.. Tensors.Select(t => new SavedTensor(t.Name, t.Shape, ElementType.BFloat16, () => [], t.Bits))], ShardBytes);
    }

    /// <summary>Path of the folder.</summary>
    public string Folder => _folder.FullName;

    /// <summary>What the model's file of settings says.</summary>
    public JsonElement Config { get; }

    /// <summary>The weights.</summary>
    public IReadOnlyList<RandomTensor> Tensors { get; }

    /// <summary>Bytes of the weights.</summary>
    public long WeightBytes => _folder.EnumerateFiles("*.safetensors").Sum(file => file.Length);

    /// <summary>Granite 3.1 1B-A400M: 24 blocks of 32 experts, 8 of them for a token.</summary>
    public static RandomCheckpoint Granite()
    {
        const int Vocabulary = 49155, Width = 1024, Layers = 24, Heads = 16, KeyHeads = 8, HeadWidth = 64, Hidden = 512, Experts = 32;
        return new RandomCheckpoint(
            new
            {
                architectures = One("GraniteMoeForCausalLM"),
                model_type = "granitemoe",
                vocab_size = Vocabulary,
                hidden_size = Width,
                intermediate_size = Hidden,
                num_hidden_layers = Layers,
                num_attention_heads = Heads,
                num_key_value_heads = KeyHeads,
                num_local_experts = Experts,
                num_experts_per_tok = 8,
                max_position_embeddings = 4096,
                rms_norm_eps = 1e-6,
                rope_theta = 1.5e6,
                attention_multiplier = 0.015625,
                embedding_multiplier = 12.0,
                residual_multiplier = 0.22,
                logits_scaling = 6.0,
                tie_word_embeddings = true,
                torch_dtype = "bfloat16",
            },
            [
                ("model.embed_tokens.weight", [Vocabulary, Width]),
                ("model.norm.weight", [Width]),
                .. Enumerable.Range(0, Layers).SelectMany(layer => (IEnumerable<(string, int[])>)
                [
                    .. Attention(layer, Width, Heads * HeadWidth, KeyHeads * HeadWidth),
                    ($"model.layers.{layer}.block_sparse_moe.router.layer.weight", [Experts, Width]),
                    ($"model.layers.{layer}.block_sparse_moe.input_linear.weight", [Experts, 2 * Hidden, Width]),
                    ($"model.layers.{layer}.block_sparse_moe.output_linear.weight", [Experts, Width, Hidden]),
                ]),
            ]);
    }

    /// <summary>OLMoE 1B-7B: 16 blocks of 64 experts, 8 of them for a token.</summary>
    /// <param name="layers">Blocks.</param>
    /// <param name="experts">Experts of a block.</param>
    public static RandomCheckpoint Olmoe(int layers = 16, int experts = 64)
    {
        const int Vocabulary = 50304, Width = 2048, Heads = 16, Hidden = 1024;
        return new RandomCheckpoint(
            new
            {
                architectures = One("OlmoeForCausalLM"),
                model_type = "olmoe",
                vocab_size = Vocabulary,
                hidden_size = Width,
                intermediate_size = Hidden,
                num_hidden_layers = layers,
                num_attention_heads = Heads,
                num_key_value_heads = Heads,
                num_experts = experts,
                num_experts_per_tok = 8,
                norm_topk_prob = false,
                max_position_embeddings = 4096,
                rms_norm_eps = 1e-5,
                rope_theta = 1e4,
                tie_word_embeddings = false,
                torch_dtype = "bfloat16",
            },
            [
                ("model.embed_tokens.weight", [Vocabulary, Width]),
                ("model.norm.weight", [Width]),
                ("lm_head.weight", [Vocabulary, Width]),
                .. Enumerable.Range(0, layers).SelectMany(layer => (IEnumerable<(string, int[])>)
                [
                    .. Attention(layer, Width, Width, Width),
                    ($"model.layers.{layer}.self_attn.q_norm.weight", [Width]),
                    ($"model.layers.{layer}.self_attn.k_norm.weight", [Width]),
                    ($"model.layers.{layer}.mlp.gate.weight", [experts, Width]),
                    .. Enumerable.Range(0, experts).SelectMany(expert => (IEnumerable<(string, int[])>)
                    [
                        ($"model.layers.{layer}.mlp.experts.{expert}.gate_proj.weight", [Hidden, Width]),
                        ($"model.layers.{layer}.mlp.experts.{expert}.up_proj.weight", [Hidden, Width]),
                        ($"model.layers.{layer}.mlp.experts.{expert}.down_proj.weight", [Width, Hidden]),
                    ]),
                ]),
            ]);
    }

    /// <summary>Switch-Base-8: an encoder and a decoder of 12 blocks, every second with 8 experts, one of them for a token.</summary>
    public static RandomCheckpoint Switch()
    {
        const int Vocabulary = 32128, Width = 768, Layers = 12, Heads = 12, HeadWidth = 64, Hidden = 3072, Experts = 8;
        return new RandomCheckpoint(
            new
            {
                architectures = One("SwitchTransformersForConditionalGeneration"),
                model_type = "switch_transformers",
                vocab_size = Vocabulary,
                d_model = Width,
                d_kv = HeadWidth,
                d_ff = Hidden,
                num_layers = Layers,
                num_decoder_layers = Layers,
                num_heads = Heads,
                num_experts = Experts,
                encoder_sparse_step = 2,
                decoder_sparse_step = 2,
                expert_capacity = 64,
                router_jitter_noise = 0.0,
                is_encoder_decoder = true,
                decoder_start_token_id = 0,
                eos_token_id = 1,
                pad_token_id = 0,
                torch_dtype = "bfloat16",
            },
            [("shared.weight", [Vocabulary, Width]), .. Stack("encoder", 1), .. Stack("decoder", 2)]);

        static IEnumerable<(string Name, int[] Shape)> Stack(string stack, int feedForward) =>
        [
            ($"{stack}.final_layer_norm.weight", [Width]),
            ($"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight", [32, Heads]),
            .. Enumerable.Range(0, Layers).SelectMany(block => (IEnumerable<(string, int[])>)
            [
                .. Half($"{stack}.block.{block}.layer.0", "SelfAttention"),
                .. feedForward == 2 ? Half($"{stack}.block.{block}.layer.1", "EncDecAttention") : [],
                .. FeedForward($"{stack}.block.{block}.layer.{feedForward}", block % 2 == 1),
            ]),
        ];

        static IEnumerable<(string Name, int[] Shape)> Half(string layer, string attention) =>
        [
            (layer + ".layer_norm.weight", [Width]),
            .. "qkvo".Select(part => ($"{layer}.{attention}.{part}.weight", (int[])[Width, Heads * HeadWidth])),
        ];

        static IEnumerable<(string Name, int[] Shape)> FeedForward(string layer, bool hasExperts) =>
        [
            (layer + ".layer_norm.weight", [Width]),
            .. hasExperts ? [(layer + ".mlp.router.classifier.weight", [Experts, Width])] : Array.Empty<(string, int[])>(),
            .. Enumerable.Range(0, hasExperts ? Experts : 1).SelectMany(expert => (IEnumerable<(string, int[])>)
            [
                ($"{layer}.mlp.{(hasExperts ? $"experts.expert_{expert}." : "")}wi.weight", [Hidden, Width]),
                ($"{layer}.mlp.{(hasExperts ? $"experts.expert_{expert}." : "")}wo.weight", [Width, Hidden]),
            ]),
        ];
    }

    /// <summary>The model, its weights where they lie or in another precision.</summary>
    public Model<EncodedText> Load(Engine engine, WeightPrecision precision)
    {
        var folder = PublishedFolder.Open(Folder);
        var input = new PublishedTextInput(PublishedTextInputConfig.Of(folder.Encoder), new IdsAlone(folder.Encoder.VocabularySize));
        return folder.Load(engine, input, folder.Encoder.WritingHead!, precision: precision);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Directory.Exists(Folder))
            _folder.Delete(recursive: true);
    }

    private static string[] One(string name) => [name];

    private static IEnumerable<(string Name, int[] Shape)> Attention(int layer, int width, int queries, int keys)
    {
        var name = $"model.layers.{layer}.";
        return
        [
            (name + "input_layernorm.weight", [width]),
            (name + "self_attn.q_proj.weight", [queries, width]),
            (name + "self_attn.k_proj.weight", [keys, width]),
            (name + "self_attn.v_proj.weight", [keys, width]),
            (name + "self_attn.o_proj.weight", [width, queries]),
            (name + "post_attention_layernorm.weight", [width]),
        ];
    }

    // Norms of one; else numbers of either sign and about 0.01 to 0.06.
    private static ushort[] Bits(int[] shape, int seed)
    {
        const ushort One = 0x3F80;
        var bits = new ushort[shape.Aggregate((a, b) => a * b)];
        if (shape.Length == 1)
        {
            bits.AsSpan().Fill(One);
            return bits;
        }

        // four numbers at a time: signs, two bits of the exponents and mantissas at random
        var state = (ulong)seed * 0x9E3779B97F4A7C15 + 1;
        var words = MemoryMarshal.Cast<ushort, ulong>(bits.AsSpan());
        foreach (ref var word in words)
        {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word = (state & 0x80FF80FF80FF80FF) | 0x3C003C003C003C00;
        }

        bits.AsSpan(4 * words.Length).Fill(0x3C00);
        return bits;
    }

    /// <summary>Stands for a tokenizer where rows are ids already.</summary>
    private sealed class IdsAlone(int vocabularySize) : IPublishedTokenizer
    {
        public int VocabularySize => vocabularySize;

        public IReadOnlyList<int> Encode(string text) => throw new NotSupportedException("The model has random weights and reads no text.");

        public int SpecialTokens(bool isPair) => 0;

        public TokenIds WithSpecialTokens(ReadOnlySpan<int> first, ReadOnlySpan<int> second, bool isPair) => new([.. first, .. second]);
    }
}

/// <summary>A weight.</summary>
/// <param name="Name">Name in the files.</param>
/// <param name="Shape">Sizes.</param>
/// <param name="Bits">Its numbers in bfloat16, the same whenever they are asked for.</param>
internal sealed record RandomTensor(string Name, int[] Shape, Func<ushort[]> Bits);
