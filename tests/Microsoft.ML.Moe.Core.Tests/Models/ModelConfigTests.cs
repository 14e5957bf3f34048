using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using System.Text;

namespace Microsoft.ML.Moe.Tests.Models;

/// <summary>The configuration in model files, of this version and those before.</summary>
public class ModelConfigTests
{
    private const string Encoder2 = """
          "width": 16, "layers": 1, "heads": 2, "moeEvery": 1, "experts": 3,
          "router": {
            "kind": "unified", "expertsPerToken": 1.5, "alpha": 0.4, "scope": "batch", "normalizeWeights": true,
            "capacityFactor": 1.25, "capacityPriority": "score", "maskPadding": false
          },
          "expertWidth": 24, "denseWidth": 48, "loadBalancingCoefficient": 0.02, "routerZLossCoefficient": 0.001, "dropout": 0.25
        """;

    private const string TextEncoder2 = $$"""
        {
          "version": 2,
        {{Encoder2}},
          "usesTokenizer": false, "tableRows": 1027, "hashBits": 10, "lowercase": false, "maximumTokens": 16
        }
        """;

    private const string Image2 = $$"""
        {
          "version": 2,
        {{Encoder2}},
          "imageWidth": 7, "imageHeight": 6, "channels": 2, "patchSize": 3, "patchMargin": 1, "convolutions": 2,
          "means": [ 0.5, 10 ], "deviations": [ 1, 2.5 ], "classes": 3
        }
        """;

    private static readonly string Text2 = TextEncoder2.Replace(
        "\"maximumTokens\": 16", "\"maximumTokens\": 16, \"classes\": 3, \"wideBits\": 11", StringComparison.Ordinal);

    private static readonly EncoderConfig Encoder = new()
    {
        Width = 16,
        Layers = 1,
        Heads = 2,
        MoeEvery = 1,
        Experts = 3,
        Router = Router.Unified(1.5, 0.4, RoutingScope.Batch, normalization: WeightNormalization.All) with
        {
            CapacityFactor = 1.25,
            CapacityPriority = CapacityPriority.Score,
            MaskPadding = false,
        },
        ExpertWidth = 24,
        DenseWidth = 48,
        LoadBalancingCoefficient = 0.02f,
        RouterZLossCoefficient = 0.001f,
        Dropout = 0.25f,
    };

    private static readonly TextInputConfig Input = new() { HashBits = 10, TableRows = 1027, Lowercase = false, MaximumTokens = 16, MarksSharedTokens = false };

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void ATextClassifierOfAnEarlierVersionIsRead(int version) => Assert.Equal(
        new ModelConfig
        {
            Input = Input with { Linear = LinearInput.Words },
            Encoder = Encoder,
            Head = new ClassesHeadConfig { Classes = 3 },
            Linear = new LinearBranchConfig { HashedBits = 11, Features = 1 << 11 },
        },
        Read(Text2, "\"version\": 2", $"\"version\": {version}"));

    [Fact]
    public void ATextEncoderOfAnEarlierVersionGivesVectors() =>
        Assert.Equal(new ModelConfig { Input = Input, Encoder = Encoder, Head = new VectorHeadConfig() }, Read(TextEncoder2));

    [Fact]
    public void AnImageClassifierOfAnEarlierVersionIsRead()
    {
        var config = Read(Image2);

        Assert.Equal((Encoder, new ClassesHeadConfig { Classes = 3 }), (config.Encoder, config.Head));
        var input = Assert.IsType<ImageInputConfig>(config.Input);
        Assert.Equal((7, 6, 2), (input.ImageWidth, input.ImageHeight, input.Channels));
        Assert.Equal((3, 1, 2), (input.PatchSize, input.PatchMargin, input.Convolutions));
        Assert.Null(input.Stem);
        Assert.Equal([0.5f, 10f], input.Means);
        Assert.Equal([1f, 2.5f], input.Deviations);
    }

    [Fact]
    public void EarlierRoutersMayHaveValuesWithoutEffect()
    {
        const string before = "\"kind\": \"unified\", \"expertsPerToken\": 1.5";

        var tokenChoice = Read(Text2, before, "\"kind\": \"tokenChoice\", \"expertsPerToken\": 1").Encoder.Router;
        var expertChoice = Read(Text2, before, "\"kind\": \"expertChoice\", \"expertsPerToken\": 1.5").Encoder.Router;

        Assert.Equal(
            (RouterKind.TokenChoice, 1.0, WeightNormalization.Selected),
            (tokenChoice.Kind, tokenChoice.ExpertsPerToken, tokenChoice.Normalization));
        Assert.Equal(
            (RouterKind.ExpertChoice, 1.5, RoutingScope.Batch), (expertChoice.Kind, expertChoice.ExpertsPerToken, expertChoice.Scope));
        Assert.Equal(WeightNormalization.None, expertChoice.Normalization);
    }

    [Theory]
    [InlineData("unified", true, WeightNormalization.All)]
    [InlineData("unified", false, WeightNormalization.None)]
    [InlineData("tokenChoice", true, WeightNormalization.Selected)]
    [InlineData("tokenChoice", false, WeightNormalization.None)]
    public void WeightsThatWereNormalisedAreDividedByTheSumOfTheirRouter(string kind, bool normalizes, WeightNormalization expected)
    {
        var router = kind == "unified" ? Router.Unified() : Router.TokenChoice(2, normalizeWeights: false);
        var text = Write(new ModelConfig { Input = Input, Encoder = Encoder with { Router = router }, Head = new VectorHeadConfig() });

        var read = Read(text, "\"normalization\": \"none\"", $"\"normalizeWeights\": {(normalizes ? "true" : "false")}");

        Assert.Equal(router with { Normalization = expected }, read.Encoder.Router);
    }

    [Fact]
    public void PublishedRoutersAreReadAgain()
    {
        foreach (var router in new[]
        {
            Router.TokenChoice(8) with
            {
                ScoreFunction = ScoreFunction.Sigmoid, Groups = new ExpertGroups(8, 4, GroupScore.SumOfTwoLargest), SmallestSum = 1e-20,
            },
            Router.TokenChoice(2, normalizeWeights: false) with { ScoreFunction = ScoreFunction.SparseMixer, Jitter = 0.01 },
            Router.TokenChoice(2) with { SkipThreshold = 0.3 },
            Router.Unified(2, 0, RoutingScope.Prefix, WeightNormalization.Selected),
        })
        {
            var encoder = Encoder with { Experts = 16, Router = router };
            var text = Write(new ModelConfig { Input = Input, Encoder = encoder, Head = new VectorHeadConfig() });
            Assert.Equal(router, Read(text).Encoder.Router);
        }
    }

    [Fact]
    public void WhatIsWrittenIsReadAgain()
    {
        var image = (ImageInputConfig)Read(Image2).Input;
        foreach (var input in new InputConfig[] { Input, image })
            foreach (var head in new HeadConfig[] { new VectorHeadConfig(), new ClassesHeadConfig { Classes = 7 } })
            {
                var config = new ModelConfig { Input = input, Encoder = Encoder, Head = head };
                var text = Write(config);

                var read = Read(text);

                Assert.Equal(text, Write(read));
                Assert.Equal((config.Encoder, config.Head), (read.Encoder, read.Head));
                Assert.IsType(input.GetType(), read.Input);
                Assert.Contains("\"version\": 3", text, StringComparison.Ordinal);
                Assert.Contains("\"model_type\": \"moe\"", text, StringComparison.Ordinal);
            }
    }

    [Theory]
    [InlineData("\"width\": 16", "\"width\": 16, \"evil\": 1", "cannot be read")]
    [InlineData("\"hashBits\": 10", "\"hashBits\": 10, \"evil\": 1", "cannot be read")]
    [InlineData("\"classes\": 3", "\"classes\": 3, \"evil\": 1", "cannot be read")]
    [InlineData("\"kind\": \"unified\"", "\"kind\": \"unified\", \"evil\": 1", "cannot be read")]
    [InlineData("\"kind\": \"unified\"", "\"kind\": 2", "cannot be read")]
    [InlineData("\"kind\": \"unified\",", "", "cannot be read")]
    [InlineData("\"heads\": 2,", "", "cannot be read")]
    [InlineData("\"experts\": 3,", "", "cannot be read")]
    [InlineData("\"width\": 16", "\"width\": 4", "Width")]
    [InlineData("\"heads\": 2", "\"heads\": 3", "Heads")]
    [InlineData("\"experts\": 3", "\"experts\": 1", "ExpertsPerToken")]
    [InlineData("\"alpha\": 0.4", "\"alpha\": 1.4", "Alpha")]
    [InlineData("\"scope\": \"batch\"", "\"scope\": \"house\"", "cannot be read")]
    [InlineData("\"capacityFactor\": 1.25", "\"capacityFactor\": 0", "CapacityFactor")]
    [InlineData("\"dropout\": 0.25", "\"dropout\": 1", "Dropout")]
    [InlineData("\"maximumTokens\": 16", "\"maximumTokens\": 1000000", "MaximumTokens")]
    [InlineData("\"classes\": 3", "\"classes\": 2000000000", "Classes")]
    public void WhatCannotBeIsRefusedInAnyVersion(string before, string after, string reason)
    {
        foreach (var text in new[] { Text2, Write(Read(Text2)) })
        {
            var error = Assert.Throws<InvalidDataException>(() => Read(text, before, after));
            Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("\"wideBits\": 11", "\"wideBits\": 31")]
    [InlineData("\"wideBits\": 11", "\"wideBits\": -1")]
    public void ATableOfAnEarlierVersionHasItsBounds(string before, string after) =>
        Assert.Contains("HashedBits", Assert.Throws<InvalidDataException>(() => Read(Text2, before, after)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("\"version\": 2", "\"version\": 4", "Update")]
    [InlineData("\"version\": 2", "\"version\": 0", "version")]
    [InlineData("\"version\": 2", "\"version\": \"two\"", "cannot be read")]
    [InlineData("\"version\": 2,", "", "cannot be read")]
    public void VersionsThatAreNotKnownAreRefused(string before, string after, string reason) =>
        Assert.Contains(reason, Assert.Throws<InvalidDataException>(() => Read(Text2, before, after)).Message, StringComparison.Ordinal);

    [Fact]
    public void AnotherArchitectureIsNamed()
    {
        var text = Write(Read(Text2));

        var error = Assert.Throws<InvalidDataException>(() => Read(text, "\"moe\"", "\"bert\""));

        Assert.Contains("'bert'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("input")]
    [InlineData("encoder")]
    [InlineData("head")]
    public void EachPartHasToBeThere(string part)
    {
        var json = System.Text.Json.Nodes.JsonNode.Parse(Write(Read(Text2)))!.AsObject();
        json.Remove(part);

        Assert.Throws<InvalidDataException>(() => Read(json.ToJsonString()));
    }

    private static string Write(ModelConfig config)
    {
        using var stream = new MemoryStream();
        config.Write(stream);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static ModelConfig Read(string text, string? before = null, string after = "")
    {
        if (before is not null)
        {
            Assert.Contains(before, text, StringComparison.Ordinal);
            text = text.Replace(before, after, StringComparison.Ordinal);
        }

        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(text));
        return ModelConfig.Read(stream);
    }
}
