using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Tests.Training;

namespace Microsoft.ML.Moe.Tests.Models;

/// <summary>Adapters in files: under the names that peft has for them, and what is refused.</summary>
public sealed class AdapterFileTests : IDisposable
{
    private readonly ManagedEngine _engine = new(1);
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _engine.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("llama", "q_proj", "model.layers.1.self_attn.q_proj", new[] { 8, 16 }, new[] { 16, 8 })]
    [InlineData("gpt_neox", "query_key_value", "gpt_neox.layers.0.attention.query_key_value", new[] { 8, 16 }, new[] { 48, 8 })]
    [InlineData("olmoe", "down_proj", "model.layers.1.mlp.experts.3.down_proj", new[] { 8, 24 }, new[] { 16, 8 })]
    [InlineData("olmoe", "gate", "model.layers.0.mlp.gate", new[] { 8, 16 }, new[] { 4, 8 })]
    [InlineData("mixtral", "w1", "model.layers.0.block_sparse_moe.experts.0.w1", new[] { 8, 16 }, new[] { 24, 8 })]
    [InlineData("deepseek_v3", "kv_b_proj", "model.layers.0.self_attn.kv_b_proj", new[] { 8, 8 }, new[] { 64, 8 })]
    [InlineData("deepseek_v3", "kv_a_proj_with_mqa", "model.layers.1.self_attn.kv_a_proj_with_mqa", new[] { 8, 16 }, new[] { 12, 8 })]
    [InlineData("jetmoe", "kv_proj", "model.layers.0.self_attention.kv_proj", new[] { 8, 16 }, new[] { 32, 8 })]
    [InlineData("granitemoe", "input_linear", "model.layers.0.block_sparse_moe.input_linear", new[] { 32, 16 }, new[] { 48, 32 })]
    [InlineData("qwen2_moe", "shared_expert.up_proj", "model.layers.0.mlp.shared_expert.up_proj", new[] { 8, 16 }, new[] { 12, 8 })]
    [InlineData("switch", "wi", "encoder.block.1.layer.1.mlp.experts.expert_2.wi", new[] { 8, 16 }, new[] { 20, 8 })]
    [InlineData("switch", "router.classifier", "decoder.block.1.layer.2.mlp.router.classifier", new[] { 8, 16 }, new[] { 4, 8 })]
    [InlineData("t5", "EncDecAttention.k", "decoder.block.0.layer.1.EncDecAttention.k", new[] { 8, 16 }, new[] { 16, 8 })]
    public void TensorsHaveTheNamesAndShapesOfTheOriginal(string family, string target, string module, int[] ofA, int[] ofB)
    {
        Create(family).WithAdapters(new LowRankAdaptation { Targets = [target] }).SaveAdapters(_folder.Path);

        using var tensors = TensorFiles.Open(Path.Combine(_folder.Path, "adapter_model.safetensors"));
        Assert.Equal(ofA, tensors.Tensors[$"base_model.model.{module}.lora_A.weight"].Shape);
        Assert.Equal(ofB, tensors.Tensors[$"base_model.model.{module}.lora_B.weight"].Shape);
        var end = "." + target;
        Assert.All(tensors.Tensors.Keys, name => Assert.EndsWith(end, name[..name.LastIndexOf(".lora_", StringComparison.Ordinal)], StringComparison.Ordinal));
    }

    [Fact]
    public void ExpertsInOneTensorHaveTheirAdaptersInOne()
    {
        const int Experts = 4, Width = 16, Hidden = 24, Rank = 2;
        const string Prefix = "base_model.model.model.layers.1.mlp.experts";
        var model = Create("olmoe");
        var adapted = Filled(model.WithAdapters(new LowRankAdaptation
        {
            Rank = Rank,
            Alpha = 3,
            TargetParameters = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"],
        }));
        adapted.SaveAdapters(_folder.Path);
        using var tensors = TensorFiles.Open(Path.Combine(_folder.Path, "adapter_model.safetensors"));
        // the one that was wrapped first is innermost
        var (a, b) = (Read(tensors, Prefix + ".base_layer.lora_A.weight"), Read(tensors, Prefix + ".base_layer.lora_B.weight"));
        Assert.Equal([Experts * Rank, Hidden], tensors.Tensors[Prefix + ".lora_A.weight"].Shape);
        Assert.Equal([Width, Rank * Experts], tensors.Tensors[Prefix + ".lora_B.weight"].Shape);
        Assert.Equal(["mlp.experts.down_proj", "mlp.experts.gate_up_proj"], Settings()["target_parameters"]!.AsArray().Select(n => n!.GetValue<string>()));
        Assert.Empty(Settings()["target_modules"]!.AsArray());

        // peft: delta = einsum("o r e, e r i -> e o i") · scaling
        var (merged, before) = (adapted.Merged().Values("layers.1.moe.experts.gate"), model.Values("layers.1.moe.experts.gate"));
        for (var e = 0; e < Experts; e++)
        {
            for (var i = 0; i < Width; i++)
            {
                for (var o = 0; o < Hidden; o++)
                {
                    var sum = Enumerable.Range(0, Rank).Sum(r => (double)b[(Hidden + o) * Rank * Experts + r * Experts + e] * a[(e * Rank + r) * Width + i]);
                    var place = (e * Width + i) * Hidden + o;
                    Assert.Equal(before[place] + 1.5 * sum, merged[place], 1e-5);
                }
            }
        }

        Assert.Equal(adapted.AllValues(), model.WithAdapters(_folder.Path).AllValues());
    }

    [Fact]
    public void RanksAndScalesMayDifferByName()
    {
        var adapted = Create("llama").WithAdapters(new LowRankAdaptation
        {
            Targets = ["q_proj", "o_proj", "down_proj"],
            Ranks = new Dictionary<string, int> { ["self_attn.o_proj"] = 2, [@"layers\.1\.mlp\.down_proj"] = 3 },
            Alphas = new Dictionary<string, float> { ["o_proj"] = 5 },
        });

        var found = adapted.Adapted.ToDictionary(a => a.Parameter.Name, a => (a.Adapter.Parts[0].A.Value.Columns, a.Adapter.Parts[0].Scaling));
        Assert.Equal((8, 2f), found["layers.0.attention.queries.weight"]);
        Assert.Equal((2, 2.5f), found["layers.1.attention.output.weight"]);
        Assert.Equal((8, 2f), found["layers.0.feedForward.second.weight"]);
        Assert.Equal((3, 16f / 3), found["layers.1.feedForward.second.weight"]);
        Filled(adapted).SaveAdapters(_folder.Path);
        Assert.Equal(adapted.AllValues(), Create("llama").WithAdapters(_folder.Path).AllValues());
    }

    [Theory]
    [InlineData("\"all-linear\"")]
    [InlineData("\".*\\\\.(q|v)_proj\"")]
    public void WherePatternsNameModulesTheTensorsTellWhatIsAdapted(string pattern)
    {
        var model = Create("llama");
        var adapted = Filled(model.WithAdapters(new LowRankAdaptation { Targets = ["q_proj", "v_proj"] }));
        adapted.SaveAdapters(_folder.Path);
        Change("target_modules", pattern);

        Assert.Equal(adapted.AllValues(), model.WithAdapters(_folder.Path).AllValues());
    }

    [Theory]
    [InlineData("use_dora", "true")]
    [InlineData("modules_to_save", "[\"lm_head\"]")]
    [InlineData("lora_bias", "true")]
    [InlineData("layers_to_transform", "[0]")]
    [InlineData("something_new", "3")]
    [InlineData("init_lora_weights", "\"pissa\"")]
    [InlineData("bias", "\"all\"")]
    [InlineData("peft_type", "\"IA3\"")]
    [InlineData("r", "1000000000")]
    [InlineData("r", "\"8\"")]
    [InlineData("lora_alpha", "-1")]
    [InlineData("lora_dropout", "1")]
    [InlineData("rank_pattern", "{\"q_proj\": 0}")]
    [InlineData("rank_pattern", "{\"q_proj\": \"four\"}")]
    [InlineData("alpha_pattern", "[1]")]
    [InlineData("target_modules", "[\"\"]")]
    public void SettingsThatAreNotSupportedAreRefusedByName(string name, string value)
    {
        Create("llama").WithAdapters(new LowRankAdaptation { Targets = ["q_proj"] }).SaveAdapters(_folder.Path);
        Change(name, value);

        var error = Assert.Throws<InvalidDataException>(() => Create("llama").WithAdapters(_folder.Path));
        Assert.Contains(name switch
        {
            "r" when value[0] == '1' => "Rank",
            "lora_alpha" => "Alpha",
            "lora_dropout" => "Dropout",
            "rank_pattern" when value.Contains('0', StringComparison.Ordinal) => "Ranks['q_proj']",
            "target_modules" => "Targets",
            _ => name,
        }, error.Message, StringComparison.Ordinal);
        Assert.Contains("adapter_config.json", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("target_modules", "[\"q_proj\", \"v_proj\"]", "v_proj")]
    [InlineData("target_modules", "[\"k_proj\"]", "k_proj")]
    [InlineData("r", "4", "q_proj")]
    [InlineData("target_modules", "[\"no_such\"]", "no_such")]
    [InlineData("rank_pattern", "{\"(?=x)q_proj\": 2}", "(?=x)q_proj")]
    public void FilesThatContradictEachOtherAreRefused(string name, string value, string told)
    {
        Create("llama").WithAdapters(new LowRankAdaptation { Targets = ["q_proj"] }).SaveAdapters(_folder.Path);
        Change(name, value);

        Assert.Contains(told, Assert.Throws<InvalidDataException>(() => Create("llama").WithAdapters(_folder.Path)).Message, StringComparison.Ordinal);
    }

    /// <summary>Rank 4096 of 256 experts in two blocks would take a gigabyte.</summary>
    [Fact]
    public void SettingsThatAskForMoreThanThereIsAreRefusedBeforeItIsMade()
    {
        var model = TinyGenerators.Create(_engine, TinyCausalFamilies.Config("olmoe", ("num_experts", 256)));
        model.WithAdapters(new LowRankAdaptation { Rank = 1, Targets = ["gate_proj", "up_proj", "down_proj"] }).SaveAdapters(_folder.Path);
        Change("r", "4096");

        var before = GC.GetTotalAllocatedBytes(precise: true);
        var error = Assert.Throws<InvalidDataException>(() => model.WithAdapters(_folder.Path)).Message;
        Assert.Contains("do not belong together", error, StringComparison.Ordinal);
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 100 << 20);
    }

    [Fact]
    public void DamagedFilesAreRefused()
    {
        var model = Create("llama");
        model.WithAdapters(new LowRankAdaptation { Targets = ["q_proj"] }).SaveAdapters(_folder.Path);
        var file = Path.Combine(_folder.Path, "adapter_model.safetensors");
        var bytes = File.ReadAllBytes(file);
        foreach (var length in new[] { 0, 7, 60, bytes.Length - 1 })
        {
            File.WriteAllBytes(file, bytes[..length]);
            Assert.Contains(file, Assert.Throws<InvalidDataException>(() => model.WithAdapters(_folder.Path)).Message, StringComparison.Ordinal);
        }

        File.WriteAllBytes(file, [.. bytes, 0]);
        Assert.Throws<InvalidDataException>(() => model.WithAdapters(_folder.Path));
        File.Delete(file);
        Assert.Throws<FileNotFoundException>(() => model.WithAdapters(_folder.Path));
        File.WriteAllBytes(file, bytes);
        File.WriteAllText(Path.Combine(_folder.Path, "adapter_config.json"), "{");
        Assert.Throws<InvalidDataException>(() => model.WithAdapters(_folder.Path));
        File.Delete(Path.Combine(_folder.Path, "adapter_config.json"));
        Assert.Throws<FileNotFoundException>(() => model.WithAdapters(_folder.Path));
    }

    [Fact]
    public void WhatAModelHasNotIsTold()
    {
        var model = Create("olmoe");
        var unknown = Assert.Throws<ArgumentException>(() => model.WithAdapters(new LowRankAdaptation { Targets = ["q_proj", "fc1"] })).Message;
        Assert.Contains("fc1", unknown, StringComparison.Ordinal);
        Assert.Contains("down_proj, gate, gate_proj, gate_up_proj, k_proj, o_proj, q_proj, up_proj, v_proj", unknown, StringComparison.Ordinal);
        Assert.Contains("Router", Assert.Throws<ArgumentException>(
            () => Create("llama").WithAdapters(new LowRankAdaptation { Layers = AdaptedLayers.Router })).Message, StringComparison.Ordinal);
        Assert.Contains("experts.1.up_proj", Assert.Throws<ArgumentException>(
            () => model.WithAdapters(new LowRankAdaptation { Targets = ["experts.1.up_proj"] })).Message, StringComparison.Ordinal);
        var adapted = model.WithAdapters(new LowRankAdaptation());
        Assert.Throws<InvalidOperationException>(() => adapted.WithAdapters(new LowRankAdaptation()));
        Assert.Throws<InvalidOperationException>(model.Merged);
        Assert.Throws<InvalidOperationException>(() => model.SaveAdapters(_folder.Path));
    }

    [Fact]
    public void ImpossibleSettingsAreRefused()
    {
        var names = new List<string>();
        foreach (var create in new Func<LowRankAdaptation>[]
        {
            () => new() { Rank = 0 },
            () => new() { Alpha = 0 },
            () => new() { Dropout = 1 },
            () => new() { Layers = AdaptedLayers.None },
            () => new() { Layers = (AdaptedLayers)16 },
            () => new() { Ranks = new Dictionary<string, int> { ["q"] = 0 } },
            () => new() { Alphas = new Dictionary<string, float> { ["q"] = float.NaN } },
        })
        {
            names.Add(Assert.Throws<ArgumentOutOfRangeException>(create).ParamName!);
        }

        Assert.Equal(["Rank", "Alpha", "Dropout", "Layers", "Layers", "Ranks['q']", "Alphas['q']"], names);
        Assert.Throws<ArgumentException>(() => new LowRankAdaptation { Targets = [" "] });
    }

    [Fact]
    public void AnAdaptedModelIsSavedWithItsAdaptersOrThoseAlone()
    {
        var model = Create("olmoe");
        var adapted = Filled(model.WithAdapters(new LowRankAdaptation { Ranks = new Dictionary<string, int> { ["q_proj"] = 2 } }));
        var (config, weights) = adapted.Save();
        var loaded = ModelFiles.LoadGenerator(
            new MemoryStream(config), new MemoryStream(weights), _engine, new LetterIds(), WeightPrecision.Float32);
        Assert.Equal(adapted.AllValues(), loaded.AllValues());
        Assert.Equal(2, loaded.Adaptation!.Ranks["q_proj"]);

        using var stream = new MemoryStream();
        adapted.SaveAdapters(stream);
        Assert.InRange(stream.Length, 4 * adapted.TrainedParameterCount, 4 * adapted.TrainedParameterCount + 20000);
        stream.Position = 0;
        Assert.Equal(adapted.AllValues(), model.WithAdapters(adapted.Adaptation!, stream).AllValues());
        stream.Position = 0;
        Assert.Throws<InvalidDataException>(() => model.WithAdapters(new LowRankAdaptation { Rank = 3 }, stream));
    }

    private Model<EncodedText> Create(string family) => TinyGenerators.Create(_engine, family switch
    {
        "t5" => TinyGenerators.T5,
        "switch" => TinyGenerators.Switch,
        _ => TinyCausalFamilies.Config(family, family == "llama" ? [("num_key_value_heads", 4)] : []),
    });

    private static Model<EncodedText> Filled(Model<EncodedText> adapted)
    {
        foreach (var (number, parameter) in adapted.Parameters.Of(ParameterRole.Adapter).Index())
        {
            var random = new Random(number);
            parameter.Value.CopyFrom([.. Enumerable.Range(0, parameter.Value.Length).Select(_ => random.NextSingle() - 0.5f)]);
        }

        return adapted;
    }

    private static float[] Read(TensorFiles files, string name)
    {
        var values = new float[files.Tensors[name].Elements];
        files.Read(files.Tensors[name], 0, values);
        return values;
    }

    private JsonObject Settings() => JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.Path, "adapter_config.json")))!.AsObject();

    private void Change(string name, string value)
    {
        var settings = Settings();
        settings[name] = JsonNode.Parse(value);
        File.WriteAllText(Path.Combine(_folder.Path, "adapter_config.json"), settings.ToJsonString());
    }
}
