using System.Text.Json;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.Models.Published;

/// <summary>What the configurations of DeepSeek, JetMoE, gpt-oss and PhiMoE say, and what of it is refused.</summary>
public sealed class LatentAndLongTests
{
    private static readonly object LongRope = new
    {
        type = "longrope",
        short_factor = new[] { 1.0, 1.5 },
        long_factor = new[] { 2.0, 4.0 },
        short_mscale = 1.1,
        long_mscale = 1.3,
        original_max_position_embeddings = 4,
    };

    [Theory]
    [InlineData("deepseek", "scoring_func", "sigmoid")]
    [InlineData("deepseek", "moe_layer_freq", 0)]
    [InlineData("deepseek", "num_experts_per_tok", null)]
    [InlineData("deepseek_v2", "topk_method", "noaux_tc")]
    [InlineData("deepseek_v2", "moe_layer_freq", 2)]
    [InlineData("deepseek_v2", "num_key_value_heads", 2)]
    [InlineData("deepseek_v2", "qk_rope_head_dim", 3)]
    [InlineData("deepseek_v3", "scoring_func", "softmax")]
    [InlineData("deepseek_v3", "topk_group", null)]
    [InlineData("gpt_oss", "swiglu_limit", 6.0)]
    [InlineData("gpt_oss", "attention_bias", false)]
    [InlineData("jetmoe", "glu", false)]
    [InlineData("phimoe", "num_experts_per_tok", 1)]
    public void RefusesByNameWhatItCannotDo(string kind, string name, object? value)
    {
        var config = value is null
            ? TinyCausalFamilies.Config(kind, (name, null))
            : TinyCausalFamilies.Config(kind, (name, value));
        // a group is said by two numbers
        if (name == "topk_group")
            config = config.Replace("\"n_group\"", "\"topk_group\": null, \"n_group\"", StringComparison.Ordinal);
        Assert.Contains(name, Assert.Throws<InvalidDataException>(() => Read(config)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GroupsAndBiasesAreThoseOfTheFile()
    {
        var third = Read(TinyCausalFamilies.Config("deepseek_v3"));
        Assert.Equal(new ExpertGroups(2, 1, GroupScore.SumOfTwoLargest), third.Router.Groups);
        Assert.Equal(ScoreFunction.Sigmoid, third.Router.ScoreFunction);
        Assert.Equal([1], third.MoeBlocks);
        Assert.Null(Read(TinyCausalFamilies.Config("deepseek_v2")).Router.Groups);
        var limited = Read(TinyCausalFamilies.Config("deepseek_v2", ("topk_method", "group_limited_greedy"), ("norm_topk_prob", true)));
        Assert.Equal(new ExpertGroups(2, 1), limited.Router.Groups);
        Assert.Equal(WeightNormalization.None, limited.Router.Normalization);
        Assert.Equal(0, Read(TinyCausalFamilies.Config("deepseek", ("n_routed_experts", null))).MoeLayers);
    }

    [Fact]
    public void JetMoeIsReadInTheFormInWhichItWasPublished()
    {
        var config = (JetMoeConfig)Read("""
            {
              "model_type": "jetmoe", "hidden_size": 16, "num_hidden_layers": 3, "num_key_value_heads": 2, "kv_channels": 4, "moe_top_k": 3,
              "moe_num_experts": 5, "ffn_hidden_size": 40, "n_positions": 99, "layer_norm_epsilon": 1e-3, "vocab_size": 30
            }
            """);
        Assert.Equal((6, 5, 40, 99, 1e-3f), (config.Heads, config.Experts, config.ExpertWidth, config.Positions, config.NormEpsilon));
        Assert.True(config.TiesDecoder);
    }

    [Fact]
    public void GptOssHasYarnOfItsClassUnlessTheFileSpeaks()
    {
        Assert.Equal(32, ((GptOssConfig)Read(TinyCausalFamilies.Config("gpt_oss"))).RotaryScaling!.Factor);
        var silent = TinyCausalFamilies.Config("gpt_oss").Replace("\"vocab_size\"", "\"rope_scaling\": null, \"vocab_size\"", StringComparison.Ordinal);
        Assert.Null(((GptOssConfig)Read(silent)).RotaryScaling);
    }

    [Fact]
    public void FrequenciesFollowEachRowsOwnLength()
    {
        var config = TinyCausalFamilies.Config("phimoe", ("rope_scaling", LongRope));
        using var folder = new TemporaryFolder();
        var opened = TinyCausalFamilies.Write(folder.Path, config);
        using var engine = new ManagedEngine(1);
        var model = TinyCausalFamilies.Load(opened, engine);
        int[] longer = [1, 2, 3, 4, 5, 6];
        // the first tokens of a long row are turned otherwise than those of a short one
        var ofLonger = TinyCausalFamilies.Scores(model, longer);
        var ofShorter = TinyCausalFamilies.Scores(model, longer[..4]);
        Assert.NotEqual(ofShorter, ofLonger[..ofShorter.Length]);
        Assert.Equal(opened.Encoder, Read(config));
        Assert.Throws<InvalidDataException>(() => Read(TinyCausalFamilies.Config("phimoe", ("rope_scaling", new { type = "longrope" }))));
        Assert.Throws<InvalidDataException>(() => Read(TinyCausalFamilies.Config("phimoe", ("rope_scaling", new { type = "yarn", factor = 2 }))));
    }

    private static PublishedConfig Read(string json) =>
        PublishedArchitectures.Read(new PublishedSettings(JsonDocument.Parse(json).RootElement, "config.json"));
}
