using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Folders of small causal models of all families of Llama's kind, with random weights; none of them is at its usual start.</summary>
internal static class TinyCausalFamilies
{
    /// <summary>What one family or another reads; each ignores what is not its own.</summary>
    private const string Sizes = """
        {
          "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
          "intermediate_size": 24, "max_position_embeddings": 32, "moe_intermediate_size": 8, "shared_expert_intermediate_size": 12,
          "shared_intermediate_size": 12, "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "moe_num_experts": 4,
          "num_experts_per_tok": 2, "moe_topk": 2, "moe_k": 2, "kv_channels": 8, "q_lora_rank": 12,
          "kv_lora_rank": 8, "qk_nope_head_dim": 6, "qk_rope_head_dim": 4, "v_head_dim": 10
        }
        """;

    /// <summary>Kinds of models whose blocks have no experts.</summary>
    public static string[] Dense { get; } = ["llama", "qwen2", "qwen3", "gpt_neox"];

    /// <summary>Kinds of models whose experts are published one by one.</summary>
    public static string[] OneByOne { get; } =
        ["qwen2_moe", "qwen3_moe", "olmoe", "flex_olmo", "mixtral", "hunyuan_v1_moe", "ernie4_5_moe", "glm4_moe", "deepseek", "deepseek_v2", "deepseek_v3", "phimoe"];

    /// <summary>All kinds.</summary>
    public static string[] All { get; } = [.. Dense, .. OneByOne, "granitemoe", "granitemoeshared", "jetmoe", "gpt_oss"];

    /// <summary>A <c>config.json</c>.</summary>
    /// <param name="kind">Its model_type.</param>
    /// <param name="changes">Further values; null removes one.</param>
    public static string Config(string kind, params (string Name, object? Value)[] changes)
    {
        (string, object?)[] own = kind switch
        {
            "gpt_neox" => [("num_key_value_heads", null)],
            "deepseek" => [("first_k_dense_replace", 1)],
            "deepseek_v2" or "deepseek_v3" => [("num_key_value_heads", null), ("first_k_dense_replace", 1), ("topk_group", 1), ("n_group", 2)],
            "gpt_oss" => [("head_dim", 4)],
            _ => [],
        };
        return Sizes.With([("model_type", kind), .. own, .. changes]);
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
        var causal = (CausalConfig)opened.Encoder;
        using var engine = new ManagedEngine(1);
        var store = new ParameterStore(engine, seed: 1);
        causal.CreateTokenEmbedding(store);
        causal.CreateEncoder(store);
        _ = new NextTokenHead(store, causal);
        var rules = causal.CreateRules();
        var random = new Random(7);
        var tensors = store.All
            .SelectMany(p => rules.Expect(p.Parameter.Name, p.Parameter.Value.Shape.ToArray()))
            .DistinctBy(t => t.Name)
            .ToDictionary(t => t.Name, t => new NamedValues(t.Name, t.Shape, Random(t.Shape)));
        change?.Invoke(tensors);
        using (var stream = File.Create(Path.Combine(folder, "model.safetensors")))
            SafeTensors.Write(stream, [.. tensors.Values]);
        return opened;

        float[] Random(int[] shape) => [.. Enumerable.Range(0, shape.Aggregate(1, (a, b) => a * b)).Select(_ => random.NextSingle() - 0.5f)];
    }

    /// <summary>The model of a folder.</summary>
    public static Model<EncodedText> Load(PublishedFolder folder, Engine engine, Upcycling? upcycling = null) => folder.Load(
        engine,
        new PublishedTextInput(PublishedTextInputConfig.Of(folder.Encoder), new LetterIds()),
        new NextTokenHeadConfig(),
        upcycling: upcycling);

    /// <summary>Scores of all tokens for what follows them, [T, V].</summary>
    public static float[] Scores(Model<EncodedText> model, params int[] ids)
    {
        using var tape = model.Engine.BeginTape(training: false);
        var batch = new TokenIdBatch().Reset(new SequenceLayout([0, ids.Length]), ids, default);
        return ((NextTokenHead)model.Head).Scores(tape, model.Encode(tape, batch).Last).ToArray();
    }
}
