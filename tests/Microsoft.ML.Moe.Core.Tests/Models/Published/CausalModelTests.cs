using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.Models.Published;

/// <summary>Published causal models of Llama's kind, made small.</summary>
public sealed class CausalModelTests : IDisposable
{
    private static readonly int[] Ids = [3, 17, 8, 8, 29, 11];

    private readonly ManagedEngine _engine = new(2);
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _engine.Dispose();
        _folder.Dispose();
    }

    public static TheoryData<string> Kinds { get; } = [.. TinyCausalFamilies.All];

    /// <summary>Settings of families, beside those that goldens have.</summary>
    public static TheoryData<string, string> Settings { get; } = new()
    {
        { "llama", "{}" },
        { "llama", """{ "attention_bias": true, "mlp_bias": true, "tie_word_embeddings": true, "head_dim": 6, "hidden_act": "relu" }""" },
        { "llama", """{ "rope_scaling": { "type": "linear", "factor": 4.0 }, "rope_theta": 100.0, "rms_norm_eps": 0.01 }""" },
        { "qwen2", """{ "use_sliding_window": true, "sliding_window": 3, "max_window_layers": 1, "num_key_value_heads": 1 }""" },
        { "qwen3", """{ "use_sliding_window": true, "sliding_window": 2, "max_window_layers": 0, "head_dim": 6, "attention_bias": true }""" },
        { "gpt_neox", """{ "hidden_act": "tanh", "rotary_pct": 1.0 }""" },
        { "gpt_neox", """{ "hidden_act": "relu", "use_parallel_residual": false, "attention_bias": false, "hidden_size": 24, "rotary_pct": 0.5 }""" },
        { "gpt_neox", """{ "hidden_act": "relu", "hidden_size": 24, "num_attention_heads": 2, "tie_word_embeddings": true }""" },
        { "olmoe", """{ "clip_qkv": 0.3, "attention_bias": true, "norm_topk_prob": true, "num_experts_per_tok": 1 }""" },
        { "flex_olmo", """{ "attention_bias": true, "tie_word_embeddings": true, "norm_topk_prob": true }""" },
        { "mixtral", """{ "sliding_window": 2, "head_dim": 6, "num_experts_per_tok": 3 }""" },
        { "qwen2_moe", """{ "qkv_bias": false, "norm_topk_prob": true, "mlp_only_layers": [0] }""" },
        { "qwen2_moe", """{ "shared_expert_intermediate_size": 0, "decoder_sparse_step": 2 }""" },
        { "qwen3_moe", """{ "attention_bias": true, "head_dim": 6, "mlp_only_layers": [1] }""" },
        { "granitemoe", """{ "attention_bias": true, "attention_multiplier": 1.5, "embedding_multiplier": 0.5, "logits_scaling": 3.0 }""" },
        { "granitemoeshared", """{ "shared_intermediate_size": 0, "residual_multiplier": 0.3, "num_experts_per_tok": 1 }""" },
        { "granitemoeshared", """{ "attention_multiplier": 0.1, "tie_word_embeddings": true }""" },
        { "hunyuan_v1_moe", """{ "head_dim": 8, "attention_bias": true, "rope_scaling": { "type": "dynamic", "alpha": 50.0 } }""" },
        { "hunyuan_v1_moe", """{ "moe_topk": 1 }""" },
        { "ernie4_5_moe", """{ "use_bias": true, "tie_word_embeddings": false, "moe_layer_start_index": 0 }""" },
        { "ernie4_5_moe", """{ "moe_num_shared_experts": 0, "moe_k": 1, "moe_layer_start_index": 0, "moe_layer_interval": 2 }""" },
        { "glm4_moe", """{ "use_qk_norm": true, "attention_bias": true, "norm_topk_prob": false, "routed_scaling_factor": 2.5 }""" },
        { "glm4_moe", """{ "n_routed_experts": 8, "n_group": 4, "topk_group": 2, "num_experts_per_tok": 3, "head_dim": 6, "first_k_dense_replace": 0 }""" },
        { "glm4_moe", """{ "n_shared_experts": 0, "tie_word_embeddings": true, "partial_rotary_factor": 1.0 }""" },
    };

    public static TheoryData<string> Dense { get; } = [.. TinyCausalFamilies.Dense];

    public static TheoryData<string> OneByOne { get; } = [.. TinyCausalFamilies.OneByOne];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ASavedModelComesBack(string kind)
    {
        var model = Load(TinyCausalFamilies.Config(kind));
        var (config, weights) = model.Save();

        var loaded = ModelFiles.LoadText(new MemoryStream(config), new MemoryStream(weights), _engine, new LetterIds());

        Assert.Equal(model.Config, loaded.Config);
        Assert.Equal(TinyCausalFamilies.Scores(model, Ids), TinyCausalFamilies.Scores(loaded, Ids));
    }

    [Theory]
    [MemberData(nameof(Settings))]
    public void AllSettingsAreThoseOfLoopsInDoublePrecision(string kind, string settings)
    {
        var changes = JsonNode.Parse(settings)!.AsObject().Select(s => (s.Key, (object?)s.Value?.DeepClone())).ToArray();
        var folder = TinyCausalFamilies.Write(_folder.Path, TinyCausalFamilies.Config(kind, changes));
        using var reference = new CausalReference(folder.Path);
        var expected = reference.Scores(Ids);

        var scores = TinyCausalFamilies.Scores(TinyCausalFamilies.Load(folder, _engine), Ids);

        Assert.Equal(expected.Length, scores.Length);
        Assert.Equal(0, expected.Zip(scores, (e, s) => Math.Abs(e - s)).Max(), 1e-5 * expected.Max(Math.Abs));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ATokenSeesNoneThatFollows(string kind)
    {
        var model = Load(TinyCausalFamilies.Config(kind));
        var expected = TinyCausalFamilies.Scores(model, Ids);

        var other = TinyCausalFamilies.Scores(model, [.. Ids[..^1], 2]);

        var before = expected.Length - expected.Length / Ids.Length;
        Assert.All(Enumerable.Range(0, before), i => Assert.Equal(expected[i], other[i], 1e-5f));
        Assert.NotEqual(expected[^1], other[^1]);
    }

    /// <summary>Transformers 5 holds gates and others of all experts in one tensor, and the last matrices in another.</summary>
    [Theory]
    [MemberData(nameof(OneByOne))]
    public void ExpertsInTwoTensorsAreTheSame(string kind)
    {
        var expected = TinyCausalFamilies.Scores(Load(TinyCausalFamilies.Config(kind)), Ids);

        var fused = TinyCausalFamilies.Scores(Load(TinyCausalFamilies.Config(kind), Fuse), Ids);

        Assert.Equal(expected, fused);
    }

    [Theory]
    [MemberData(nameof(Dense))]
    public void MixturesMadeOfTheWholeNetworkAreTheDenseModel(string kind)
    {
        var folder = TinyCausalFamilies.Write(_folder.Path, TinyCausalFamilies.Config(kind, ("intermediate_size", 48), ("mlp_bias", true)));
        var expected = TinyCausalFamilies.Scores(TinyCausalFamilies.Load(folder, _engine), Ids);
        foreach (var upcycling in (Upcycling[])
        [
            Upcycling.Copies(4, Router.TokenChoice(2)), Upcycling.DropUpcycling(0, 4, Router.TokenChoice(2)),
            Upcycling.Slices(4, 2, Router.TokenChoice(4)) with { RouterDeviation = 0f },
        ])
        {
            var mixture = TinyCausalFamilies.Load(folder, _engine, upcycling with { Every = 1 });

            Assert.Equal(2, mixture.Config.Encoder.MoeLayers);
            var scores = TinyCausalFamilies.Scores(mixture, Ids);
            Assert.All(expected.Zip(scores), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
        }
    }

    [Fact]
    public void AllBiasesAreRead()
    {
        var config = TinyCausalFamilies.Config("ernie4_5_moe", ("use_bias", true), ("tie_word_embeddings", false), ("moe_k", 4));
        var expected = TinyCausalFamilies.Scores(Load(config), Ids);

        // experts and those that all tokens go to, dense networks, attention and scores
        foreach (var name in (string[])
        [
            "layers.1.mlp.experts.0.gate_proj.bias", "layers.1.mlp.experts.1.up_proj.bias", "layers.1.mlp.experts.2.down_proj.bias",
            "layers.1.mlp.shared_experts.up_proj.bias", "layers.0.mlp.gate_proj.bias", "layers.1.self_attn.q_proj.bias",
            "layers.0.self_attn.o_proj.bias", "lm_head.bias",
        ])
        {
            var other = Load(config, tensors => tensors[name].Values[0] += 9f);
            Assert.NotEqual(expected, TinyCausalFamilies.Scores(other, Ids));
        }
    }

    [Fact]
    public void AWindowHidesWhatIsFurtherBehind()
    {
        foreach (var (window, hides) in new[] { (4, true), (6, false), ((int?)null, false) })
        {
            var model = Load(TinyCausalFamilies.Config("mixtral", ("num_hidden_layers", 1), ("sliding_window", window)));
            var (one, other) = (TinyCausalFamilies.Scores(model, Ids), TinyCausalFamilies.Scores(model, [4, .. Ids[1..]]));
            var last = one.Length / Ids.Length;
            Assert.Equal(hides, one.AsSpan(^last..).SequenceEqual(other.AsSpan(^last..)));
        }
    }

    /// <summary>Widths of heads that are no parts of the model's, fewer heads of keys, and an expert that all tokens go to.</summary>
    [Fact]
    public void FlopsAreThoseCountedByHand()
    {
        var model = Load(TinyCausalFamilies.Config("qwen2_moe", ("head_dim", 6), ("mlp_only_layers", new[] { 1 })));

        // one token; D = 16, queries 4·6, keys 2·6, k = 2 of 4 experts of width 8, shared 12, dense 24, V = 40
        var attention = 2 * 16 * 24 + 2 * 16 * 12 + 2 * 24;
        var sparse = 16 * 4 + 3 * 16 * (2 * 8 + 12);
        Assert.Equal(2.0 * (2 * attention + sparse + 3 * 16 * 24 + 16 * 40), model.Flops([new EncodedText(new TokenIds([2]), 0, false)], 2));
    }

    [Fact]
    public void TheTokenTableScoresWhereTheModelTiesThem()
    {
        var tied = TinyCausalFamilies.Write(_folder["tied"], TinyCausalFamilies.Config("olmoe", ("tie_word_embeddings", true)));
        using (var files = TensorFiles.Open(tied.Path))
            Assert.DoesNotContain("lm_head.weight", files.Tensors.Keys);
        var expected = TinyCausalFamilies.Scores(TinyCausalFamilies.Load(tied, _engine), Ids);

        // a head of their own is another model, and may lie beside the table unused
        var other = TinyCausalFamilies.Write(_folder["other"], TinyCausalFamilies.Config("olmoe"));
        File.WriteAllText(Path.Combine(other.Path, "config.json"), TinyCausalFamilies.Config("olmoe", ("tie_word_embeddings", true)));
        Assert.Equal(expected.Length, TinyCausalFamilies.Scores(TinyCausalFamilies.Load(PublishedFolder.Open(other.Path), _engine), Ids).Length);
        File.WriteAllText(Path.Combine(tied.Path, "config.json"), TinyCausalFamilies.Config("olmoe"));
        var error = Assert.Throws<InvalidDataException>(() => TinyCausalFamilies.Load(PublishedFolder.Open(tied.Path), _engine));
        Assert.Contains("lm_head.weight", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AllThatIsMissingIsNamed()
    {
        var error = Assert.Throws<InvalidDataException>(() => Load(TinyCausalFamilies.Config("olmoe"), tensors =>
        {
            tensors.Remove("layers.0.mlp.experts.2.up_proj.weight");
            tensors.Remove("layers.1.self_attn.k_norm.weight");
            tensors.Add("layers.1.self_attn.q_proj.bias", new NamedValues("layers.1.self_attn.q_proj.bias", [16], new float[16]));
        }));

        foreach (var name in (string[])["layers.0.mlp.experts.2.up_proj.weight", "layers.1.self_attn.k_norm.weight", "layers.1.self_attn.q_proj.bias"])
            Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    private static void Fuse(Dictionary<string, NamedValues> tensors)
    {
        foreach (var layers in tensors.Values.Where(t => t.Name.Contains(".experts.", StringComparison.Ordinal)).ToList()
            .GroupBy(t => t.Name[..t.Name.IndexOf(".experts.", StringComparison.Ordinal)].Replace("block_sparse_moe", "mlp", StringComparison.Ordinal)))
        {
            foreach (var tensor in layers)
                tensors.Remove(tensor.Name);
            Add("gate_up_proj", Of("gate_proj", "w1").Zip(Of("up_proj", "w3"), (gate, up) => gate.Concat(up)), hidden => [4, hidden, 16]);
            Add("down_proj", Of("down_proj", "w2"), hidden => [4, 16, hidden]);

            List<IEnumerable<float>> Of(params string[] names) =>
                [.. layers.Where(t => names.Any(n => t.Name.EndsWith($".{n}.weight", StringComparison.Ordinal))).OrderBy(t => t.Name).Select(t => t.Values)];

            void Add(string name, IEnumerable<IEnumerable<float>> experts, Func<int, int[]> shape)
            {
                float[] values = [.. experts.SelectMany(v => v)];
                var full = $"{layers.Key}.experts.{name}";
                tensors.Add(full, new NamedValues(full, shape(values.Length / 4 / 16), values));
            }
        }
    }

    private Model<EncodedText> Load(string config, Action<Dictionary<string, NamedValues>>? change = null) =>
        TinyCausalFamilies.Load(TinyCausalFamilies.Write(_folder.Path, config, change), _engine);
}
