using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Routing;

/// <summary>Which expert each patch of images went to, layer by layer, with a router: of several the one with the largest logit.</summary>
/// <param name="Router">The router.</param>
/// <param name="Blocks">Numbers of the blocks with a MoE layer, from 0.</param>
/// <param name="ExpertOf">Of each block and image the expert of each patch, −1 for none.</param>
internal sealed record PatchExperts(Router Router, IReadOnlyList<int> Blocks, IReadOnlyList<int[][]> ExpertOf)
{
    /// <summary>Looks at images.</summary>
    /// <param name="model">The model.</param>
    /// <param name="router">The router in place of its own.</param>
    /// <param name="images">The images.</param>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    public static PatchExperts Of(Model<ImagePixels> model, Router router, IReadOnlyList<ImagePixels> images)
    {
        var routed = model.WithRouting(router);
        var input = (PatchInput)model.Input;
        var observer = new Observer(input.SpecialTokens, input.Grid.Patches);
        routed.Score(images, new float[images.Count * model.Outputs], observer);
        var blocks = model.Config.Encoder.MoeBlocks;
        return new PatchExperts(router, blocks, [.. blocks.Select(block => observer.Of(block))]);
    }

    /// <summary>
    /// How well the experts of a layer tell objects from background: adjusted mutual information of a patch's expert, none being one more,
    /// with whether it shows an object; 0 by chance, 1 where each tells the other.
    /// </summary>
    /// <param name="layer">Number of the layer, in the order of <see cref="Blocks"/>.</param>
    /// <param name="isObject">Of each image whether each patch shows an object.</param>
    public double Separation(int layer, IReadOnlyList<bool[]> isObject) => new ClusterAgreement(
        [.. isObject.SelectMany(patches => patches.Select(shows => shows ? 1 : 0))], [.. ExpertOf[layer].SelectMany(patches => patches)])
        .AdjustedMutualInformation;

    /// <summary>
    /// The same within an image, as the mean over images that show an object and background: experts that tell the object of one image from its
    /// ground need not be those that do so in another.
    /// </summary>
    /// <param name="layer">Number of the layer, in the order of <see cref="Blocks"/>.</param>
    /// <param name="isObject">Of each image whether each patch shows an object.</param>
    /// <returns>NaN where no image shows both.</returns>
    public double SeparationWithinImages(int layer, IReadOnlyList<bool[]> isObject)
    {
        var agreements = isObject.Index()
            .Where(image => image.Item.Contains(true) && image.Item.Contains(false))
            .Select(image => new ClusterAgreement([.. image.Item.Select(shows => shows ? 1 : 0)], ExpertOf[layer][image.Index]))
            .ToList();
        return agreements.Count == 0 ? double.NaN : agreements.Average(agreement => agreement.AdjustedMutualInformation);
    }

    private sealed class Observer(int specialTokens, int patches) : IRoutingObserver
    {
        private readonly Dictionary<int, List<int[]>> _experts = [];

        public int[][] Of(int block) => [.. _experts[block]];

        public void OnRouted(RoutedLayer layer)
        {
            if (!_experts.TryGetValue(layer.Block, out var images))
                _experts.Add(layer.Block, images = []);
            var logits = layer.LogitsTE.ToArray();
            var (experts, pairs) = (layer.Plan.Experts, layer.Plan.ByToken);
            for (var image = 0; image < layer.Layout.Sequences; image++)
            {
                var ofPatches = new int[patches];
                for (var patch = 0; patch < patches; patch++)
                {
                    var token = layer.Layout.Offsets[image] + specialTokens + patch;
                    ofPatches[patch] = -1;
                    foreach (var pair in pairs.Of(token))
                    {
                        var expert = pairs.Expert(pair);
                        if (ofPatches[patch] < 0 || logits[token * experts + expert] > logits[token * experts + ofPatches[patch]])
                            ofPatches[patch] = expert;
                    }
                }

                images.Add(ofPatches);
            }
        }
    }
}
