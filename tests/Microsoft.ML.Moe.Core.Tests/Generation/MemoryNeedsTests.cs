using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.Generation;

public class MemoryNeedsTests
{
    [Theory]
    [InlineData(WeightPrecision.Float32, 4 * (600 + 8 + 40))]
    [InlineData(WeightPrecision.AsStored, 4 * (8 + 40))]
    [InlineData(WeightPrecision.Int8, 600 + 40 + (4 * 8))]
    public void WeightsInAMappedFileTakeNone(WeightPrecision precision, long expected) =>
        Assert.Equal(expected, MemoryNeeds.OfWeights(new Sizes(), precision));

    [Fact]
    public void WhatWouldFitIsSaid()
    {
        MemoryNeeds.CheckWeights(new Sizes(), WeightPrecision.AsStored, 192);
        var failure = Assert.Throws<InvalidOperationException>(() => MemoryNeeds.CheckWeights(new Sizes(), WeightPrecision.Float32, 192));
        Assert.Contains("AsStored", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("Int8", failure.Message, StringComparison.Ordinal);
        Assert.Contains("smaller model", Assert.Throws<InvalidOperationException>(
            () => MemoryNeeds.CheckWeights(new Sizes(), WeightPrecision.Float32, 10)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void KeysAndValuesOfAllLayersAreCounted()
    {
        var config = new EncoderConfig { Width = 64, Layers = 3 };
        Assert.Equal(2 * 4 * 3 * 64 * 5L * 100, MemoryNeeds.OfCache(config, sequences: 5, tokens: 100));
        MemoryNeeds.CheckCache(config, 5, 100, 768_000);
        Assert.Contains("fewer prompts", Assert.Throws<InvalidOperationException>(
            () => MemoryNeeds.CheckCache(config, 5, 100, 767_999)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(WeightPrecision.AsStored, false, true, (2 * 600) + (4 * (8 + 40)))]
    [InlineData(WeightPrecision.AsStored, true, false, (2 * 600) + (4 * (8 + 40)))]
    [InlineData(WeightPrecision.Int8, false, true, 600 + 40 + (4 * 8))]
    [InlineData(WeightPrecision.Int8, true, false, 4 * (600 + 8 + 40))]
    [InlineData(WeightPrecision.Float32, false, false, 4 * (600 + 8 + 40))]
    public void WhatIsCopiedIsCounted(WeightPrecision precision, bool isMapped, bool keepsStored, long expected) =>
        Assert.Equal(expected, MemoryNeeds.OfWeights(new Sizes(), precision, new WeightsPlace(isMapped, keepsStored)));

    [Fact]
    public void TablesOfTokensAreNotInInt8()
    {
        Assert.Equal(600 + (4 * (8 + 40)), MemoryNeeds.OfWeights(new Sizes(), WeightPrecision.Int8, new WeightsPlace(Tables: ["single"])));
        Assert.Equal(40 + (4 * 8), MemoryNeeds.OfWeights(new Sizes(), WeightPrecision.Int8, new WeightsPlace(Tables: ["matrix"])));
        Assert.Equal((2 * 600) + 40 + (4 * 8), MemoryNeeds.OfWeights(new Sizes(), WeightPrecision.Int8, new WeightsPlace(false, Tables: ["matrix"])));
    }

    [Fact]
    public void NumbersThatWereRoundedBeforeTakeAByte()
    {
        var zip = new Sizes(new TensorInfo("rounded", TensorType.I8, [20, 30], 600, 0));
        Assert.Equal(600, MemoryNeeds.OfWeights(zip, WeightPrecision.AsStored, new WeightsPlace(IsMapped: false)));
        Assert.Equal(4 * 600, MemoryNeeds.OfWeights(zip, WeightPrecision.AsStored, new WeightsPlace(IsMapped: false, KeepsStored: false)));
        var failure = Assert.Throws<InvalidOperationException>(
            () => MemoryNeeds.CheckWeights(zip, WeightPrecision.AsStored, 599, new WeightsPlace(IsMapped: false)));
        Assert.Contains("KeepsWeightsInFolder", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("Load them as", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(TinyCausal.Olmoe, "embed_tokens.weight")]
    [InlineData(TinyCausal.Switch, "shared.weight")]
    public void TablesOfTokensAreKnownByTheirNames(string config, string name)
    {
        using var folder = new TemporaryFolder();
        var published = PublishedFolder.Open(TinyCausal.Write(folder.Path, config));
        using var files = TensorFiles.Open(folder.Path);
        Assert.Contains(name, files.Tensors.Keys);
        Assert.Contains(published.Encoder.TokenTables, table => name == table || name.EndsWith("." + table, StringComparison.Ordinal));
        // what is not counted is the table, in bfloat16 in the mapped file
        long Of(params string[] tables) => MemoryNeeds.OfWeights(files, WeightPrecision.Int8, new WeightsPlace(Tables: tables));
        Assert.Equal(Of() + (3 * 32 * 16), Of([.. published.Encoder.TokenTables]));
    }

    [Fact]
    public void WeightsThatAreLoadedLeaveLess()
    {
        using var folder = new TemporaryFolder();
        using var engine = new ManagedEngine(1);
        TinyCausal.Write(folder.Path, type: ElementType.BFloat16);
        var (_, single) = TextGenerator.Load(engine, folder.Path, WeightPrecision.Float32, "tiny");
        var (_, stored) = TextGenerator.Load(engine, folder.Path, WeightPrecision.AsStored, "tiny");
        var vectors = single.Parameters.All.Where(p => p.Parameter.Value.Shape.Length < 2).Sum(p => (long)p.Parameter.Value.Length);
        Assert.Equal(4 * single.ParameterCount, Of(single));
        Assert.Equal(4 * vectors, Of(stored));
        Assert.Equal(MemoryNeeds.Available - Of(single), MemoryNeeds.AvailableBeside(single));

        static long Of(Model<EncodedText> model) => MemoryNeeds.OfParameters(model.Parameters.All.Select(p => p.Parameter));
    }

    [Fact]
    public void KeysAndValuesOfAnEncoderDecoderAreOfTheAnswerAndOfThePrompt()
    {
        using var folder = new TemporaryFolder();
        using var engine = new ManagedEngine(1);
        TinyCausal.Write(folder.Path, TinyCausal.Switch);
        var (_, model) = TextGenerator.Load(engine, folder.Path, WeightPrecision.Float32, "tiny");
        var config = (EncoderDecoderConfig)model.Config.Encoder;
        Assert.Equal(2 * 4 * 2 * (2 * 8) * 5L * (100 + 7), MemoryNeeds.OfCache(config, sequences: 5, tokens: 100, sourceTokens: 7));
        // more than any machine has
        var failure = Assert.Throws<InvalidOperationException>(() => { new EncoderDecoderModel(model).Begin([[5, 1]], 1000, 1 << 24).Dispose(); });
        Assert.Contains("keys and values", failure.Message, StringComparison.Ordinal);
    }

    /// <summary>Names and shapes alone.</summary>
    private sealed class Sizes : TensorSource
    {
        public Sizes(params TensorInfo[] tensors) => Tensors = tensors.Length == 0 ? Tensors : tensors.ToDictionary(tensor => tensor.Name);

        public override string Name => "sizes";

        public override IReadOnlyDictionary<string, TensorInfo> Tensors { get; } = new Dictionary<string, TensorInfo>
        {
            ["matrix"] = new("matrix", TensorType.BF16, [20, 30], 600, 0),
            ["norm"] = new("norm", TensorType.BF16, [8], 8, 0),
            ["single"] = new("single", TensorType.F32, [4, 10], 40, 0),
        };

        protected override void ReadSingle(TensorInfo tensor, long first, Span<float> values) => throw new NotSupportedException();

        protected override void ReadBits(TensorInfo tensor, long first, Span<ushort> bits) => throw new NotSupportedException();
    }
}
