using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.Generation;

/// <summary>Models that write text, as a zip has them: each weight is what it was, to the last bit.</summary>
public sealed class SavedGeneratorTests
{
    [SkippableTheory]
    [Trait("Category", "Goldens")]
    [InlineData(WeightPrecision.AsStored)]
    [InlineData(WeightPrecision.Int8)]
    public void APublishedMixInTwoTypesKeepsBoth(WeightPrecision precision)
    {
        var path = MixedGolden();
        var (saved, loaded) = SaveAndLoad(path, precision);
        Assert.Equal(saved, loaded);
        Assert.Contains(saved, p => p is { Type: ElementType.Float32, Name: var name } && name.EndsWith("moe.router.weight", StringComparison.Ordinal));
        Assert.Contains(saved, p => p.Type == (precision == WeightPrecision.Int8 ? ElementType.Int8 : ElementType.BFloat16));
    }

    [SkippableFact]
    [Trait("Category", "Goldens")]
    public void APublishedMixInTwoTypesKeepsBothInAFolder()
    {
        var path = MixedGolden();
        using var folder = new TemporaryFolder();
        using var engine = new ManagedEngine(1);
        SafeTensorsWriter.WriteFolder(
            folder.Path, GeneratorFolderWriter.TensorsOf(Load(path, WeightPrecision.AsStored, engine), type: null));
        using var before = TensorFiles.Open(path);
        using var after = TensorFiles.Open(folder.Path);
        Assert.Equal(
            after.Tensors.Keys.Order().Select(name => (name, before.Tensors[name].Type)),
            after.Tensors.Values.OrderBy(t => t.Name).Select(t => (t.Name, t.Type)));
        SavedTensors.AreThoseOf(path, folder.Path);
    }

    [Theory]
    [InlineData(TinyCausal.Olmoe, ElementType.Float32, WeightPrecision.Int8)]
    [InlineData(TinyCausal.Olmoe, ElementType.BFloat16, WeightPrecision.Int8)]
    [InlineData(TinyCausal.Olmoe, ElementType.BFloat16, WeightPrecision.AsStored)]
    [InlineData(TinyCausal.Switch, ElementType.BFloat16, WeightPrecision.Int8)]
    [InlineData(TinyCausal.Switch, ElementType.BFloat16, WeightPrecision.AsStored)]
    [InlineData(TinyCausal.Llama, ElementType.Float32, WeightPrecision.Int8)]
    public void WhatIsLoadedIsWhatWasSaved(string config, ElementType type, WeightPrecision precision)
    {
        using var folder = new TemporaryFolder();
        var (saved, loaded) = SaveAndLoad(TinyCausal.Write(folder.Path, config, type, routers: ElementType.Float32), precision);
        Assert.Equal(saved, loaded);
    }

    [Fact]
    public void Int8IsReadInSinglePrecisionToo()
    {
        using var folder = new TemporaryFolder();
        TinyCausal.Write(folder.Path);
        using var engine = new ManagedEngine(1);
        var (config, weights) = Save(Load(folder.Path, WeightPrecision.Int8, engine));
        var loaded = Describe(LoadSaved(config, weights, WeightPrecision.Float32, engine));
        Assert.All(loaded, p => Assert.Equal(ElementType.Float32, p.Type));
        Assert.Equal(Describe(Load(folder.Path, WeightPrecision.Int8, engine)).Select(p => p.Values), loaded.Select(p => p.Values));
    }

    [Fact]
    public void MatricesThatWereSavedRoundedToBFloat16AreReadAsBefore()
    {
        using var folder = new TemporaryFolder();
        TinyCausal.Write(folder.Path);
        using var engine = new ManagedEngine(1);
        using var config = new MemoryStream();
        using var weights = new MemoryStream();
        Load(folder.Path, WeightPrecision.Float32, engine).Save(config, weights, ElementType.BFloat16);
        (config.Position, weights.Position) = (0, 0);
        var loaded = ModelFiles.LoadGenerator(config, weights, engine, new LetterIds(), WeightPrecision.Int8);
        Assert.Contains(Describe(loaded), p => p.Type == ElementType.Int8);
        Assert.Contains(Describe(loaded), p => p.Type == ElementType.BFloat16);
    }

    [Fact]
    public void Int8IsRefusedWhereTheEngineHasNone()
    {
        using var folder = new TemporaryFolder();
        using var engine = new OtherEngine();
        TinyCausal.Write(folder.Path);
        var failure = Assert.Throws<ArgumentException>(() => TextGenerator.Load(engine, folder.Path, WeightPrecision.Int8, "tiny"));
        Assert.Contains("Weights = Int8", failure.Message, StringComparison.Ordinal);
        Assert.Contains("Device = Cpu", failure.Message, StringComparison.Ordinal);
        failure = Assert.Throws<ArgumentException>(
            () => TextEmbedder.Load(engine, folder.Path, new EmbeddingSettings { Weights = WeightPrecision.Int8 }));
        Assert.Contains("Weights = Int8", failure.Message, StringComparison.Ordinal);
    }

    private static string MixedGolden()
    {
        var path = Goldens.Root is { } root ? Path.Combine(root, "models", "switch-bf16") : "";
        Skip.IfNot(Directory.Exists(path), "There is no golden switch-bf16: set MLNETMOE_GOLDENS to the goldens' folder.");
        return path;
    }

    private static (List<Described> Saved, List<Described> Loaded) SaveAndLoad(string path, WeightPrecision precision)
    {
        using var engine = new ManagedEngine(1);
        var model = Load(path, precision, engine);
        var (config, weights) = Save(model);
        return (Describe(model), Describe(LoadSaved(config, weights, precision, engine)));
    }

    private static Model<EncodedText> Load(string path, WeightPrecision precision, Engine engine)
    {
        var folder = PublishedFolder.Open(path);
        var input = new PublishedTextInput(PublishedTextInputConfig.Of(folder.Encoder), new LetterIds());
        return folder.Load(engine, input, folder.Encoder.WritingHead!, precision: precision);
    }

    private static (byte[] Config, byte[] Weights) Save(Model<EncodedText> model)
    {
        using var config = new MemoryStream();
        using var weights = new MemoryStream();
        model.Save(config, weights, matrices: null);
        return (config.ToArray(), weights.ToArray());
    }

    private static Model<EncodedText> LoadSaved(byte[] config, byte[] weights, WeightPrecision precision, Engine engine) =>
        ModelFiles.LoadGenerator(new MemoryStream(config), new MemoryStream(weights), engine, new LetterIds(), precision);

    private static List<Described> Describe(Model<EncodedText> model) => [.. model.Parameters.All.Select(p => p.Parameter).Select(
        p => new Described(p.Name, p.Value.ElementType, string.Join(' ', p.Value.ToArray().Select(BitConverter.SingleToInt32Bits))))];

    private sealed record Described(string Name, ElementType Type, string Values);
}
