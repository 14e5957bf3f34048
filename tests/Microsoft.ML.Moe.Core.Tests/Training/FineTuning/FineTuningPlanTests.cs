using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>What is fine-tuned, and how, by the table and by what is asked for.</summary>
public class FineTuningPlanTests
{
    private const int Layers = 6;

    [Theory]
    [InlineData(10_000, 2, false, false, FineTuningLoss.CrossEntropy, Layers, 2)]
    [InlineData(2_000, 20, false, false, FineTuningLoss.CrossEntropy, Layers, 2)]
    [InlineData(3_000, 3, true, false, FineTuningLoss.CrossEntropy, Layers, 2)]
    [InlineData(3_000, 40, true, false, FineTuningLoss.CrossEntropy, Layers, 2)]
    [InlineData(500, 21, false, false, FineTuningLoss.Contrast, 3, 3)]
    [InlineData(15_000, 150, false, false, FineTuningLoss.Contrast, 3, 1)]
    [InlineData(100, 100, false, false, FineTuningLoss.Contrast, 3, 20)]
    public void TheTableDecides(int rows, int classes, bool isPair, bool isLong, FineTuningLoss loss, int layers, int epochs)
    {
        var plan = FineTuningPlan.For(FineTuning.Auto, rows, classes, Layers, isPair, isLong)!;

        Assert.Equal((loss, layers, epochs), (plan.Loss, plan.Layers, plan.Epochs));
        Assert.Equal(loss == FineTuningLoss.Contrast ? (76, 2e-4f, 5e-3f) : (32, isPair ? 2e-4f : 1.5e-4f, 1e-3f), (plan.BatchSize, plan.LearningRate, plan.HeadLearningRate));
    }

    [Theory]
    [InlineData(1_999, 2, false, false)]
    [InlineData(2_999, 2, true, false)]
    [InlineData(2_999, 40, true, false)]
    [InlineData(50_000, 2, false, true)]
    [InlineData(50_000, 50, false, true)]
    public void OrLeavesTheEncoderAsItIs(int rows, int classes, bool isPair, bool isLong) =>
        Assert.Null(FineTuningPlan.For(FineTuning.Auto, rows, classes, Layers, isPair, isLong));

    [Theory]
    [InlineData(2, 1e12, 2)]
    [InlineData(2, 1e13, 1)]
    [InlineData(2, 2e13, 0)]
    [InlineData(150, 1e13, 1)]
    [InlineData(150, 2e13, 0)]
    public void TheTableDecidesForNoMoreThanMinutesOfWork(int classes, double flopsOfLayer, int epochs)
    {
        var plan = FineTuningPlan.For(FineTuning.Auto, 100_000, classes, Layers, isPair: false, isLong: false, flopsOfLayer);

        Assert.Equal(epochs, plan?.Epochs ?? 0);
        Assert.NotNull(FineTuningPlan.For(FineTuning.AllLayers, 100_000, classes, Layers, isPair: false, isLong: false, flopsOfLayer));
    }

    [Theory]
    [InlineData(500, true, 0, 10, 6, 3e-4f)]
    [InlineData(500, false, 0, 4, 3, 1e-4f)]
    [InlineData(50_000, true, 2e12, 10, 5, 3e-4f)]
    [InlineData(50_000, false, 1e13, 4, 2, 1e-4f)]
    public void ConvolutionsLearnWhollyAndTransformersOfImagesTheirTop(
        int rows, bool isConvolutional, double flopsOfLayer, int layers, int epochs, float rate)
    {
        var plan = FineTuningPlan.ForImages(FineTuning.Auto, rows, layers: 10, isConvolutional, flopsOfLayer)!;

        Assert.Equal((FineTuningLoss.CrossEntropy, layers, epochs, rate), (plan.Loss, plan.Layers, plan.Epochs, plan.LearningRate));
    }

    [Theory]
    [InlineData(499, true, 0)]
    [InlineData(499, false, 0)]
    [InlineData(500, true, 2e13)]
    public void FewImagesAndMuchWorkLeaveTheEncoderAsItIs(int rows, bool isConvolutional, double flopsOfLayer)
    {
        Assert.Null(FineTuningPlan.ForImages(FineTuning.Auto, rows, layers: 10, isConvolutional, flopsOfLayer));
        Assert.Equal(10, FineTuningPlan.ForImages(FineTuning.AllLayers, rows, layers: 10, isConvolutional, flopsOfLayer)!.Layers);
        Assert.Null(FineTuningPlan.ForImages(FineTuning.None, 100_000, layers: 10, isConvolutional, 0));
    }

    [Fact]
    public void WhatIsAskedForIsDone()
    {
        Assert.Null(FineTuningPlan.For(FineTuning.None, 100_000, 2, Layers, false, false));
        Assert.Null(FineTuningPlan.For(FineTuning.AllLayers, 100_000, 2, layers: 0, false, false));
        Assert.Equal(Layers, FineTuningPlan.For(FineTuning.AllLayers, 10, 2, Layers, false, isLong: true)!.Layers);
        Assert.Equal(2, FineTuningPlan.For(FineTuning.TopLayers(2), 10, 2, Layers, false, false)!.Layers);
        Assert.Equal(Layers, FineTuningPlan.For(FineTuning.TopLayers(99), 10, 2, Layers, true, false)!.Layers);
        var wanted = FineTuning.TopLayers(2) with
        {
            Epochs = 7,
            BatchSize = 9,
            LearningRate = 1e-5f,
            HeadLearningRate = 2e-5f,
            LayerDecay = 0.5f,
            WeightDecay = 0.25f,
            Loss = FineTuningLoss.Contrast,
        };
        Assert.Equal(
            new FineTuningPlan(FineTuningLoss.Contrast, 2, 7, 9, 1e-5f, 2e-5f, 0.5f, 0.25f),
            FineTuningPlan.For(wanted, 10, 2, Layers, false, false));
    }

    [Fact]
    public void ItSaysWhatItIs()
    {
        Assert.Equal("Auto", FineTuning.Auto.ToString());
        Assert.Equal("None", FineTuning.None.ToString());
        Assert.Equal("TopLayers(3)", (FineTuning.TopLayers(3) with { Epochs = 2 }).ToString());
        Assert.Equal("AllLayers", FineTuning.AllLayers.ToString());
        Assert.Equal(FineTuning.TopLayers(3), FineTuning.TopLayers(3));
        Assert.NotEqual(FineTuning.TopLayers(3), FineTuning.TopLayers(3) with { Epochs = 2 });
    }

    public static TheoryData<string> ImpossibleValues => [.. Impossible.Keys];

    private static readonly Dictionary<string, Func<FineTuning>> Impossible = new()
    {
        ["layers"] = () => FineTuning.TopLayers(0),
        ["Epochs"] = () => FineTuning.Auto with { Epochs = 0 },
        ["BatchSize"] = () => FineTuning.Auto with { BatchSize = 1 },
        ["LearningRate"] = () => FineTuning.Auto with { LearningRate = 0 },
        ["HeadLearningRate"] = () => FineTuning.Auto with { HeadLearningRate = float.NaN },
        ["LayerDecay"] = () => FineTuning.Auto with { LayerDecay = 1.1f },
        ["WeightDecay"] = () => FineTuning.Auto with { WeightDecay = -1 },
        ["Dropout"] = () => FineTuning.Auto with { Dropout = 1 },
        ["Loss"] = () => FineTuning.Auto with { Loss = (FineTuningLoss)9 },
    };

    [Theory]
    [MemberData(nameof(ImpossibleValues))]
    public void ImpossibleValuesAreNamed(string name)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => Impossible[name]());
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(16, 100, 20, false, 16, false)]
    [InlineData(512, 10, 20, false, 64, false)]
    [InlineData(512, 10, 200, false, 200, false)]
    [InlineData(512, 100_000, 200, false, 64, false)]
    [InlineData(512, 10, 2_000, false, 256, true)]
    [InlineData(512, 10_000, 2_000, false, 75, true)]
    [InlineData(512, 10, 2_000, true, 512, false)]
    [InlineData(64, 10, 20, true, 64, false)]
    [InlineData(512, 10, 20, true, 128, false)]
    public void TheLengthFollowsTheTexts(int limit, int rows, int length, bool isPair, int expected, bool bothEnds)
    {
        // of texts beyond a limit of 16, both ends are read
        var config = new PublishedTextConfig();
        Assert.Equal((expected, bothEnds || (!isPair && length > limit)), config.LengthFor([.. Enumerable.Repeat(length, rows)], limit, isPair));
        Assert.Equal((40, false), (config with { MaximumTokens = 40 }).LengthFor([length], limit, isPair));
        Assert.Equal(Math.Min(limit, isPair ? 128 : 64), config.LengthFor([], limit, isPair).Length);
    }
}
