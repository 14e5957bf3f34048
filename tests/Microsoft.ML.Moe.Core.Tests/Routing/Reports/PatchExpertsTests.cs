using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Routing.Reports;

/// <summary>Which expert each patch went to.</summary>
public sealed class PatchExpertsTests : IDisposable
{
    private readonly ManagedEngine _engine = new(2);
    private readonly Model<ImagePixels> _model;
    private readonly ImagePixels[] _images = [.. ToyImages.Rows(7, seed: 2).Select(row => row.Input)];

    public PatchExpertsTests() => _model = new ImageClassifierTrainer(
        ToyImages.Config(epochs: 1), ToyImages.Input, ToyImages.Classes, _engine).Train(ToyImages.Rows(30, seed: 1));

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void EveryPatchHasTheExpertThatThePlanGaveIt()
    {
        foreach (var router in new[] { Router.TokenChoice(1), Router.ExpertChoice(1), Router.Unified(1) })
        {
            var experts = PatchExperts.Of(_model, router, _images);
            var plans = new Plans();
            _model.WithRouting(router).Score(_images, new float[_images.Length * _model.Outputs], plans);

            Assert.Equal([0], experts.Blocks);
            Assert.Equal(7, experts.ExpertOf[0].Length);
            var token = 0;
            foreach (var expert in experts.ExpertOf[0].SelectMany(patches => patches))
            {
                var chosen = plans.ExpertsOf(token++);
                Assert.Equal(chosen.Count == 0 ? -1 : chosen[0], expert);
            }

            Assert.Equal(7 * 9, token);
        }
    }

    [Fact]
    public void ExpertsThatAreTheObjectsAreOneAndThoseOfChanceAreNone()
    {
        int[][] experts = [[0, 0, 1, 1], [1, 0, 0, 1]];
        var same = new PatchExperts(Router.TokenChoice(1), [0], [experts]);
        Assert.Equal(1, same.Separation(0, [[false, false, true, true], [true, false, false, true]]), 1e-9);
        var random = new Random(3);
        int[][] many = [.. Enumerable.Range(0, 40).Select(_ => Enumerable.Range(0, 16).Select(_ => random.Next(4)).ToArray())];
        bool[][] masks = [.. Enumerable.Range(0, 40).Select(_ => Enumerable.Range(0, 16).Select(_ => random.Next(2) == 0).ToArray())];
        Assert.InRange(new PatchExperts(Router.TokenChoice(1), [0], [many]).Separation(0, masks), -0.02, 0.02);
    }

    [Fact]
    public void WithinImagesOtherExpertsMayBeTheObject()
    {
        bool[] left = [true, true, false, false];
        int[][] swapped = [[0, 0, 1, 1], [1, 1, 0, 0], [2, 2, 2, 2]];
        var experts = new PatchExperts(Router.TokenChoice(1), [0], [swapped]);

        // the third image shows no background, so it tells nothing
        Assert.Equal(1, experts.SeparationWithinImages(0, [left, left, [true, true, true, true]]), 1e-9);
        Assert.InRange(experts.Separation(0, [left, left, [true, true, true, true]]), -0.5, 0.5);
        Assert.Equal(0.5, experts.SeparationWithinImages(0, [left, [true, true, true, true], left]), 1e-9); // one expert for all tells nothing
        Assert.Equal(double.NaN, experts.SeparationWithinImages(0, [new bool[4], new bool[4], new bool[4]]));
    }

    /// <summary>The experts of each token, the one with the largest logit first.</summary>
    private sealed class Plans : IRoutingObserver
    {
        private readonly List<IReadOnlyList<int>> _experts = [];

        public IReadOnlyList<int> ExpertsOf(int token) => _experts[token];

        public void OnRouted(RoutedLayer layer)
        {
            var logits = layer.LogitsTE.ToArray();
            for (var token = 0; token < layer.Layout.Tokens; token++)
            {
                var t = token;
                _experts.Add([.. Enumerable.Range(0, layer.Plan.Experts)
                    .Where(e => layer.Plan.TokensOf(e).Contains(t))
                    .OrderByDescending(e => logits[t * layer.Plan.Experts + e])]);
            }
        }
    }
}
