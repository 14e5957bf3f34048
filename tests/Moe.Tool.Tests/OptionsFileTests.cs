using System.Text.Json;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace MoeTool.Tests;

public class OptionsFileTests : FolderTests
{
    [Fact]
    public void Any_option_is_set_by_its_name()
    {
        var options = Applied("""
            {
                // comments, and either way to write a name
                "layers": 1, "Width": 64, "dropout": 0.25, "linearBranch": false, "maxEpochs": null, "classWeighting": "Balanced",
                "decay": "linear", "checkpointFile": "state.bin",
            }
            """);
        Assert.Equal((1, 64, 0.25f, false, null), (options.Layers, options.Width, options.Dropout, options.LinearBranch, options.MaxEpochs));
        Assert.Equal((ClassWeighting.Balanced, LearningRateDecay.Linear, "state.bin"), (options.ClassWeighting, options.Decay, options.CheckpointFile));
        Assert.Equal(new MoeTextClassificationTrainer.Options().Heads, options.Heads);
    }

    [Theory]
    [InlineData("""{ "kind": "unified", "expertsPerToken": 1.5, "alpha": 0.4 }""", RouterKind.Unified, 1.5, 0.4)]
    [InlineData("""{ "Kind": "Unified" }""", RouterKind.Unified, 2, 0.5)]
    [InlineData("""{ "kind": "expert-choice", "expertsPerToken": 1 }""", RouterKind.ExpertChoice, 1, 0.5)]
    public void A_router_is_an_object(string router, RouterKind kind, double expertsPerToken, double alpha)
    {
        var set = Applied($$"""{ "router": {{router}} }""").Router;
        Assert.Equal((kind, expertsPerToken, alpha), (set.Kind, set.ExpertsPerToken, set.Alpha));
    }

    [Fact]
    public void What_a_router_does_not_name_is_as_its_factory_has_it()
    {
        Assert.Equal(Router.TokenChoice(), Applied("""{ "router": { "kind": "tokenChoice" } }""").Router);
        Assert.Equal(Router.TokenChoice(1), Applied("""{ "router": { "kind": "tokenChoice", "expertsPerToken": 1 } }""").Router);
        Assert.Equal(
            Router.Unified(1, scope: RoutingScope.Batch) with { CapacityFactor = 1.25 },
            Applied("""{ "router": { "expertsPerToken": 1, "kind": "unified", "scope": "Batch", "capacityFactor": 1.25 } }""").Router);
    }

    [Fact]
    public void The_global_workspace_is_an_object() => Assert.Equal(
        new GlobalWorkspaceSettings(1.2, EntropyUnit.Nats, MaxTokensPerSequence: 4),
        Applied("""{ "globalWorkspace": { "threshold": 1.2, "unit": "nats", "maxTokensPerSequence": 4 } }""").GlobalWorkspace);

    [Fact]
    public void Thresholds_of_blocks_are_an_object_within_it() => Assert.Equal(
        new Dictionary<int, double> { [1] = 0.9, [3] = 0.6 },
        Applied("""{ "globalWorkspace": { "threshold": 0.77, "blockThresholds": { "1": 0.9, "3": 0.6 } } }""").GlobalWorkspace!.BlockThresholds!);

    [Fact]
    public void An_encoder_is_a_name_or_a_folder()
    {
        Assert.Same(PublishedEncoder.MiniLM, Applied("""{ "encoder": "MiniLM" }""").Encoder);
        Assert.Same(PublishedEncoder.ArcticXs, Applied("""{ "encoder": "arctic" }""").Encoder);
        Assert.Equal("an/encoder", Applied("""{ "encoder": "an/encoder" }""").Encoder?.Name);
        Assert.Equal(Folder, Applied($$"""{ "encoder": {{JsonSerializer.Serialize(Folder)}} }""").Encoder?.Name);
        Assert.Null(Applied("""{ "encoder": null }""").Encoder);
    }

    [Fact]
    public void Fine_tuning_is_a_word_a_number_or_an_object()
    {
        Assert.Equal(FineTuning.None, Applied("""{ "fineTuning": "none" }""").FineTuning);
        Assert.Equal(FineTuning.AllLayers, Applied("""{ "fineTuning": "all" }""").FineTuning);
        Assert.Equal(FineTuning.TopLayers(3), Applied("""{ "fineTuning": 3 }""").FineTuning);
        Assert.Equal(
            FineTuning.TopLayers(2) with { Epochs = 4, Loss = FineTuningLoss.CrossEntropy },
            Applied("""{ "fineTuning": { "layers": 2, "Epochs": 4, "loss": "crossEntropy" } }""").FineTuning);
        Assert.Equal(FineTuning.Auto with { Dropout = 0.2f }, Applied("""{ "fineTuning": { "dropout": 0.2 } }""").FineTuning);
        Assert.Equal(0.1f, FineTuning.Auto.Dropout);
    }

    [Fact]
    public void Upcycling_is_an_object()
    {
        Assert.Equal(Upcycling.Copies(), Applied("""{ "upcycling": { "method": "copies" } }""").Upcycling);
        Assert.Equal(
            Upcycling.Slices(7, 1, Router.Unified(2)) with { Blocks = [3, 5], RouterStart = RouterStart.CentredKMeans },
            Applied("""
                {
                    "upcycling": {
                        "method": "slices", "experts": 7, "sharedSlices": 1, "router": { "kind": "unified" }, "blocks": [3, 5],
                        "routerStart": "centredKMeans",
                    },
                }
                """).Upcycling);
        Assert.Equal(Upcycling.DropUpcycling(0.25, 4) with { Seed = 3 }, Applied("""{ "upcycling": { "method": "drop-upcycling", "share": 0.25, "experts": 4, "seed": 3 } }""").Upcycling);
        Assert.Equal(Upcycling.VirtualGroups(2), Applied("""{ "upcycling": { "method": "virtualGroups", "granularity": 2 } }""").Upcycling);
    }

    [Theory]
    [InlineData("""{ "encoder": "no such folder" }""", "There is no folder 'no such folder'; an encoder is MiniLM")]
    [InlineData("""{ "fineTuning": "some" }""", "a number of layers of at least 1")]
    [InlineData("""{ "fineTuning": 0 }""", "a number of layers of at least 1")]
    [InlineData("""{ "fineTuning": { "layers": 2, "epoch": 1 } }""", "there is no 'epoch' to set, but epochs")]
    [InlineData("""{ "fineTuning": { "epochs": 0 } }""", "Epochs must lie between 1 and 1000")]
    [InlineData("""{ "upcycling": 8 }""", "upcycling is an object with a \"method\"")]
    [InlineData("""{ "upcycling": { "experts": 8 } }""", "upcycling needs a \"method\"")]
    [InlineData("""{ "upcycling": { "method": "magic" } }""", "there is no upcycling 'magic'")]
    [InlineData("""{ "upcycling": { "method": "copies", "share": 0.5 } }""", "there is no 'share' to set")]
    [InlineData("""{ "upcycling": { "method": "copies", "every": 0 } }""", "Every must lie between 1 and")]
    [InlineData("""{ "layer": 1 }""", "'layer', which is no option. Possible are")]
    [InlineData("""{ "layers": "many" }""", "layers = \"many\" is impossible: it is a whole number")]
    [InlineData("""{ "layers": 1.5 }""", "layers = 1.5 is impossible: it is a whole number")]
    [InlineData("""{ "layers": null }""", "layers = null is impossible: it is a whole number")]
    [InlineData("""{ "dropout": true }""", "dropout = true is impossible: it is a number")]
    [InlineData("""{ "linearBranch": 1 }""", "linearBranch = 1 is impossible: it is true or false")]
    [InlineData("""{ "decay": "none of them" }""", "impossible: it is one of")]
    [InlineData("""{ "router": "unified" }""", "a router is an object")]
    [InlineData("""{ "router": { "alpha": 0.5 } }""", "a router needs a \"kind\"")]
    [InlineData("""{ "router": { "kind": "best" } }""", "there is no router 'best'")]
    [InlineData("""{ "router": { "kind": "unified", "beta": 1 } }""", "a router has no 'beta'")]
    [InlineData("""{ "router": { "kind": "unified", "alpha": 2 } }""", "Alpha")]
    [InlineData("""{ "router": { "kind": "tokenChoice", "expertsPerToken": 1.5 } }""", "whole number with Token Choice")]
    [InlineData("""{ "router": { "kind": "expertChoice", "alpha": 0.3 } }""", "Alpha has no effect")]
    [InlineData("""{ "globalWorkspace": { "unit": "nats" } }""", "globalWorkspace = ")]
    [InlineData("""{ "globalWorkspace": { "threshold": 1, "slots": 3 } }""", "slots")]
    [InlineData("""{ "initialModel": "missing.zip" }""", "missing.zip")]
    [InlineData("""{ "tokenizer": "missing.txt" }""", "missing.txt")]
    [InlineData("""{ "labelColumnName": "a" }""", "'labelColumnName', which is no option")]
    [InlineData("""[1]""", "should hold an object")]
    [InlineData("""{ "layers": """, "is no JSON")]
    public void An_unknown_or_impossible_entry_is_named(string content, string explanation)
    {
        var message = Assert.Throws<UserException>(() => Applied(content)).Message;
        Assert.Contains(explanation, message, StringComparison.Ordinal);
        Assert.Contains("options.json", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_explained() => Assert.Contains(
        "There is no file",
        Assert.Throws<UserException>(() => OptionsFile.Apply("missing.json", new MoeTextClassificationTrainer.Options())).Message,
        StringComparison.Ordinal);

    [Fact]
    public void Other_trainers_have_their_own()
    {
        var images = new MoeImageClassificationTrainer.Options();
        OptionsFile.Apply(Write("options.json", """{ "patchSize": 4, "horizontalFlip": true }"""), images);
        Assert.Equal((4, true), (images.PatchSize, images.HorizontalFlip));
        var pretraining = new MoeTextPretrainer.Options();
        OptionsFile.Apply(Write("options.json", """{ "maskShare": 0.2 }"""), pretraining);
        Assert.Equal(0.2f, pretraining.MaskShare);
    }

    private MoeTextClassificationTrainer.Options Applied(string content)
    {
        var options = new MoeTextClassificationTrainer.Options();
        OptionsFile.Apply(Write("options.json", content), options);
        return options;
    }
}
