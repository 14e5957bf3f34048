using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Models;

public class OptionsTests
{
    public static TheoryData<string, object> Impossible { get; } = new()
    {
        { nameof(TextClassifierOptions.MaximumTokens), 7 },
        { nameof(TextClassifierOptions.HashBits), 23 },
        { nameof(TextClassifierOptions.Width), 0 },
        { nameof(TextClassifierOptions.Layers), -1 },
        { nameof(TextClassifierOptions.Heads), 3 },
        { nameof(TextClassifierOptions.MoeEvery), -1 },
        { nameof(TextClassifierOptions.Experts), 0 },
        { nameof(TextClassifierOptions.ExpertsPerToken), 5.0 },
        { nameof(TextClassifierOptions.ExpertsPerToken), 0.0 },
        { nameof(TextClassifierOptions.ExpertsPerToken), 1.5 },
        { nameof(TextClassifierOptions.ExpertsPerToken), double.NaN },
        { nameof(TextClassifierOptions.Router), (RouterKind)9 },
        { nameof(TextClassifierOptions.Alpha), 1.1 },
        { nameof(TextClassifierOptions.RoutingScope), (RoutingScope)(-1) },
        { nameof(TextClassifierOptions.ExpertWidth), 0 },
        { nameof(TextClassifierOptions.LoadBalancingCoefficient), -1f },
        { nameof(TextClassifierOptions.RouterZLossCoefficient), float.NaN },
        { nameof(TextClassifierOptions.MaxEpochs), 0 },
        { nameof(TextClassifierOptions.BatchSize), 0 },
        { nameof(TextClassifierOptions.AccumulationSteps), 65 },
        { nameof(TextClassifierOptions.LearningRate), 0f },
        { nameof(TextClassifierOptions.EmbeddingLearningRate), float.PositiveInfinity },
        { nameof(TextClassifierOptions.WideLearningRate), -1f },
        { nameof(TextClassifierOptions.WeightDecay), float.NaN },
        { nameof(TextClassifierOptions.WarmupShare), 1.1f },
        { nameof(TextClassifierOptions.MaxGradientNorm), 0f },
        { nameof(TextClassifierOptions.Dropout), 1f },
        { nameof(TextClassifierOptions.TokenMaskRate), -0.1f },
        { nameof(TextClassifierOptions.WordDropRate), 1f },
        { nameof(TextClassifierOptions.WideDropRate), float.NaN },
        { nameof(TextClassifierOptions.LabelSmoothing), 1f },
        { nameof(TextClassifierOptions.ValidationShare), 0.6f },
        { nameof(TextClassifierOptions.EarlyStoppingPatience), 0 },
        { nameof(TextClassifierOptions.Threads), 0 },
        { nameof(TextClassifierOptions.Decay), (LearningRateDecay)9 },
        { nameof(TextClassifierOptions.ClassWeighting), (ClassWeighting)9 },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public void AnImpossibleValueIsNamed(string option, object value)
    {
        var options = new TextClassifierOptions();
        typeof(TextClassifierOptions).GetProperty(option)!.SetValue(options, value);

        var error = Assert.ThrowsAny<ArgumentException>(options.Validate);

        Assert.Equal(option, error.ParamName);
        Assert.Contains(option, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(RouterKind.TokenChoice, 2, true)]
    [InlineData(RouterKind.TokenChoice, 1, false)]
    [InlineData(RouterKind.ExpertChoice, 1.5, false)]
    [InlineData(RouterKind.Unified, 2, false)]
    public void WeightsAreDividedWhereTheMethodDoes(RouterKind router, double expertsPerToken, bool expected) =>
        Assert.Equal(expected, new TextClassifierOptions { Router = router, ExpertsPerToken = expertsPerToken }.RouterSettings.NormalizeWeights);

    [Fact]
    public void TheDefaultsAreFine() => new TextClassifierOptions().Validate();
}
