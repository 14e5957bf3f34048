using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.Models.Published;

/// <summary>What is read of the <c>config.json</c> of causal models of Llama's kind.</summary>
public sealed class CausalConfigTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A file that says nothing but its kind means the defaults of transformers' class, which are no published model's.</summary>
    [Theory]
    [InlineData("llama", 32000, 4096, 32, 32, 128, 10_000, false)]
    [InlineData("qwen2", 151936, 4096, 32, 32, 128, 10_000, false)]
    [InlineData("qwen3", 151936, 4096, 32, 32, 128, 10_000, false)]
    [InlineData("gpt_neox", 50432, 6144, 44, 64, 96, 10_000, false)]
    [InlineData("qwen2_moe", 151936, 2048, 24, 16, 128, 10_000, false)]
    [InlineData("qwen3_moe", 151936, 2048, 24, 4, 64, 10_000, false)]
    [InlineData("olmoe", 50304, 2048, 16, 16, 128, 10_000, false)]
    [InlineData("flex_olmo", 100352, 4096, 32, 32, 128, 500_000, false)]
    [InlineData("mixtral", 32000, 4096, 32, 8, 128, 1e6, false)]
    [InlineData("granitemoe", 32000, 4096, 32, 32, 128, 10_000, false)]
    [InlineData("granitemoeshared", 32000, 4096, 32, 32, 128, 10_000, false)]
    [InlineData("hunyuan_v1_moe", 290943, 4096, 32, 32, 128, 10_000, false)]
    [InlineData("ernie4_5_moe", 103424, 2560, 28, 4, 128, 500_000, true)]
    [InlineData("glm4_moe", 151552, 4096, 46, 8, 42, 10_000, false)]
    public void WhatIsAbsentIsTheDefaultOfTheClass(
        string kind, int vocabulary, int width, int layers, int keyValueHeads, int headWidth, double theta, bool isTied)
    {
        var config = Read($$"""{ "model_type": "{{kind}}" }""");

        Assert.Equal((vocabulary, width, layers), (config.VocabularySize, config.Width, config.Layers));
        Assert.Equal((keyValueHeads, headWidth), (config.KeyValueHeads, config.HeadWidth));
        Assert.Equal((theta, isTied), (config.RotaryBase, config.TiesDecoder));
    }

    [Theory]
    [InlineData("qwen2_moe", 60, 4, false, 1408, 5632, 24)]
    [InlineData("qwen3_moe", 128, 8, false, 768, 0, 24)]
    [InlineData("olmoe", 64, 8, false, 2048, 0, 16)]
    [InlineData("flex_olmo", 7, 5, false, 11008, 0, 32)]
    [InlineData("mixtral", 8, 2, true, 14336, 0, 32)]
    [InlineData("granitemoe", 8, 2, true, 11008, 0, 32)]
    [InlineData("hunyuan_v1_moe", 1, 1, true, 11008, 11008, 32)]
    [InlineData("ernie4_5_moe", 64, 6, true, 1536, 3072, 27)]
    [InlineData("glm4_moe", 128, 8, true, 1408, 1408, 45)]
    public void ExpertsToo(string kind, int experts, int perToken, bool normalizes, int expertWidth, int sharedWidth, int moeLayers)
    {
        var config = Read($$"""{ "model_type": "{{kind}}" }""");

        Assert.Equal((experts, perToken), (config.Experts, (int)config.Router.ExpertsPerToken));
        Assert.Equal(normalizes ? WeightNormalization.Selected : WeightNormalization.None, config.Router.Normalization);
        Assert.Equal((expertWidth, sharedWidth), (config.ExpertWidth, config.Mixture?.SharedWidth ?? 0));
        Assert.Equal(moeLayers, config.MoeLayers);
    }

    [Fact]
    public void SparseBlocksAreThoseThatTheFileNames()
    {
        Assert.Equal([1, 3], Read(Of("qwen3_moe", ("decoder_sparse_step", 2))).MoeBlocks);
        Assert.Equal([1, 2], Read(Of("qwen2_moe", ("mlp_only_layers", new[] { 0, 3 }))).MoeBlocks);
        Assert.Equal([2, 3], Read(Of("glm4_moe", ("first_k_dense_replace", 2))).MoeBlocks);
        Assert.Empty(Read(Of("glm4_moe", ("first_k_dense_replace", 4))).MoeBlocks);
        Assert.Equal([1, 2], Read(Of("ernie4_5_moe", ("moe_layer_end_index", 2))).MoeBlocks);
        Assert.Equal([1, 3], Read(Of("ernie4_5_moe", ("moe_layer_start_index", 0), ("moe_layer_interval", 2))).MoeBlocks);

        static string Of(string kind, params (string, object?)[] changes) => TinyCausalFamilies.Config(kind, [("num_hidden_layers", 4), .. changes]);
    }

    [Fact]
    public void WindowsAreReadWhereTheyAreInUse()
    {
        Assert.Null(Read(Of("qwen2", ("sliding_window", 8))).Window);
        var config = Read(Of("qwen2", ("use_sliding_window", true), ("sliding_window", 8), ("max_window_layers", 3)));
        Assert.Equal(8, config.Window);
        Assert.Equal([3], config.WindowedBlocks!);
        string[] types = ["sliding_attention", "full_attention", "sliding_attention", "full_attention"];
        config = Read(Of("qwen3", ("use_sliding_window", true), ("sliding_window", 8), ("layer_types", types)));
        Assert.Equal([0, 2], config.WindowedBlocks!);
        Assert.Equal(8, Read(Of("qwen3_moe", ("use_sliding_window", true), ("sliding_window", 8))).Window);
        Assert.Equal(8, Read(Of("mixtral", ("sliding_window", 8))).Window);
        Assert.Null(Read(Of("mixtral")).Window);

        static string Of(string kind, params (string, object?)[] changes) => TinyCausalFamilies.Config(kind, [("num_hidden_layers", 4), .. changes]);
    }

    [Fact]
    public void ScalingIsTheSameInBothForms()
    {
        var scaling = new { rope_type = "llama3", factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0, original_max_position_embeddings = 64 };
        var older = Read(TinyCausalFamilies.Config("llama", ("rope_theta", 5e5), ("rope_scaling", scaling)));
        var newer = Read(TinyCausalFamilies.Config("llama", ("rope_parameters", new
        {
            rope_theta = 5e5,
            rope_type = "llama3",
            factor = 8.0,
            low_freq_factor = 1.0,
            high_freq_factor = 4.0,
            original_max_position_embeddings = 64,
        })));

        Assert.Equal(RotaryScalingKind.Llama3, older.RotaryScaling!.Kind);
        Assert.Equal(older, newer);
        Assert.Null(Read(TinyCausalFamilies.Config("llama", ("rope_scaling", new { type = "dynamic", factor = 2.0 }))).RotaryScaling);
    }

    /// <summary>A quarter of 12 columns are 3: two pairs, whose second turns at base^(−2/3).</summary>
    [Fact]
    public void AnOddPartOfAHeadHasAPairMore()
    {
        var config = Read(TinyCausalFamilies.Config("gpt_neox", ("hidden_size", 48), ("rotary_pct", 0.25)));

        Assert.Equal((12, 0.25), (config.HeadWidth, config.RotaryFraction));
        Assert.Equal([1f, (float)Math.Pow(10_000, -2 / 3.0)], RotaryScaling.FrequenciesOf(3, 10_000));
    }

    // the expected numbers are those of transformers' formulas in double precision
    [Fact]
    public void FrequenciesAreScaled()
    {
        Frequencies(
            [1.0, 0.24438459943539834, 0.013042256043820465, 0.003952847075210474, 0.00125, 0.0003952847075210474, 0.000125, 3.952847075210474e-05],
            new { type = "llama3", factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0, original_max_position_embeddings = 64 });
        Frequencies(
            [1.0, 0.2569350598886808, 0.0625, 0.01383496476323666, 0.0025, 0.0007905694150420948, 0.00025, 7.905694150420948e-05],
            new { type = "yarn", factor = 4.0, original_max_position_embeddings = 512 },
            1.138629436111989);
        Frequencies(
            [1.0, 0.30140647845953206, 0.07039863663460479, 0.014383359341231184, 0.0025, 0.0007905694150420948, 0.00025, 7.905694150420948e-05],
            new { type = "yarn", factor = 4.0, original_max_position_embeddings = 512, truncate = false, mscale = 0.707, mscale_all_dim = 1.0 },
            0.964326914892074);
        Frequencies(
            [.. Enumerable.Range(0, 8).Select(i => Math.Pow(10_000, -i / 8.0) / 2)], new { type = "linear", factor = 2.0 });

        void Frequencies(double[] expected, object scaling, double amplitude = 1)
        {
            var config = Read(TinyCausalFamilies.Config("llama", ("head_dim", 16), ("rope_scaling", scaling)));
            var rotary = config.RotaryScaling!.Apply(config.HeadWidth, config.RotaryBase, isInterleaved: false);
            Assert.All(expected.Zip(rotary.Values.ToArray()), pair => Assert.Equal(pair.First, pair.Second, 1e-6 * pair.First));
            Assert.Equal(amplitude, rotary.Amplitude, 1e-6);
        }
    }

    [Theory]
    [InlineData("llama", "rope_scaling", """{ "type": "longrope" }""", "rope_type 'longrope'")]
    [InlineData("llama", "rope_scaling", """{ "type": "llama3", "factor": 8 }""", "needs high_freq_factor")]
    [InlineData("qwen2", "num_key_value_heads", "3", "num_key_value_heads 3")]
    [InlineData("qwen3", "head_dim", "7", "odd")]
    [InlineData("qwen3_moe", "decoder_sparse_step", "0", "decoder_sparse_step")]
    [InlineData("ernie4_5_moe", "moe_layer_interval", "0", "moe_layer_interval")]
    [InlineData("granitemoe", "position_embedding_type", "\"nope\"", "position_embedding_type")]
    [InlineData("hunyuan_v1_moe", "moe_topk", "[1, 2]", "moe_topk")]
    [InlineData("olmoe", "num_experts", "5000", "Experts")]
    [InlineData("olmoe", "num_experts_per_tok", "5", "ExpertsPerToken")]
    [InlineData("glm4_moe", "quantization_config", "{}", "quantised")]
    [InlineData("mixtral", "num_hidden_layers", "2000000000", "Layers")]
    public void WhatCannotBeDoneIsRefused(string kind, string name, string value, string message)
    {
        var json = System.Text.Json.JsonSerializer.Deserialize<System.Text.Json.JsonElement>(value);
        var error = Assert.Throws<InvalidDataException>(() => Read(TinyCausalFamilies.Config(kind, (name, json))));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    private RotaryCausalConfig Read(string config) =>
        (RotaryCausalConfig)PublishedArchitectures.Read(PublishedFolder.ReadConfig(_folder.Write("config.json", config)));
}
