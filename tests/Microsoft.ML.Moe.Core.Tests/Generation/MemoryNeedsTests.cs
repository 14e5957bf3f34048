using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

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

    /// <summary>Names and shapes alone.</summary>
    private sealed class Sizes : TensorSource
    {
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
