using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Folders of published encoders of images that are small enough to be made in a test, with random weights.</summary>
internal static class TinyVision
{
    public const int Side = 8;

    public const string Vit = """
        {
          "model_type": "vit", "architectures": ["ViTModel"], "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2,
          "intermediate_size": 24, "image_size": 8, "patch_size": 2, "num_channels": 3
        }
        """;

    public const string ResNet = """
        {
          "model_type": "resnet", "architectures": ["ResNetModel"], "embedding_size": 6, "hidden_sizes": [8, 16], "depths": [2, 3],
          "layer_type": "basic", "hidden_act": "relu", "num_channels": 3, "image_size": 8
        }
        """;

    public const string Preprocessing = """
        {
          "do_resize": true, "size": {"height": 8, "width": 8}, "resample": 2, "do_rescale": true, "do_normalize": true,
          "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]
        }
        """;

    /// <summary>Writes all files of an encoder.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="config"><c>config.json</c>.</param>
    /// <param name="preprocessing"><c>preprocessor_config.json</c>; null writes none.</param>
    public static void Write(string folder, string config = Vit, string? preprocessing = Preprocessing)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), config);
        if (preprocessing is not null)
            File.WriteAllText(Path.Combine(folder, "preprocessor_config.json"), preprocessing);
        var encoder = (VisionConfig)PublishedFolder.Open(folder).Encoder;
        var random = new Random(7);
        using var stream = File.Create(Path.Combine(folder, "model.safetensors"));
        SafeTensors.Write(stream,
        [
            .. ShapesOf(encoder).Select(t => new NamedValues(
                t.Name,
                t.Shape,
                [.. Enumerable.Range(0, t.Shape.Aggregate(1, (a, b) => a * b)).Select(_ => random.NextSingle() - (t.Name.EndsWith("var", StringComparison.Ordinal) ? -0.5f : 0.5f))])),
        ]);
    }

    private static IEnumerable<(string Name, int[] Shape)> ShapesOf(VisionConfig config) =>
        config is ResNetConfig network ? ShapesOf(network) : ShapesOf((VisionTransformerConfig)config);

    private static List<(string Name, int[] Shape)> ShapesOf(ResNetConfig config)
    {
        List<(string Name, int[] Shape)> shapes = [("classifier.1.weight", [2, config.Width]), ("classifier.1.bias", [2])];
        Add("resnet.embedder.embedder", config.Channels, config.EmbeddingWidth, 7);
        var inputs = config.EmbeddingWidth;
        for (var stage = 0; stage < config.Depths.Length; stage++)
            for (var layer = 0; layer < config.Depths[stage]; layer++)
            {
                var (name, outputs) = ($"resnet.encoder.stages.{stage}.layers.{layer}", config.StageWidths[stage]);
                if (layer == 0 && (stage > 0 || config.DownsamplesFirstStage || inputs != outputs))
                    Add(name + ".shortcut", inputs, outputs, 1);
                var middle = config.IsBottleneck ? outputs / 4 : outputs;
                Add(name + ".layer.0", inputs, middle, config.IsBottleneck ? 1 : 3);
                Add(name + ".layer.1", middle, middle, 3);
                if (config.IsBottleneck)
                    Add(name + ".layer.2", middle, outputs, 1);
                inputs = outputs;
            }

        return shapes;

        void Add(string name, int from, int to, int side)
        {
            shapes.Add((name + ".convolution.weight", [to, from, side, side]));
            shapes.AddRange(new[] { "weight", "bias", "running_mean", "running_var" }.Select(of => ($"{name}.normalization.{of}", (int[])[to])));
            shapes.Add((name + ".normalization.num_batches_tracked", [1]));
        }
    }

    private static IEnumerable<(string Name, int[] Shape)> ShapesOf(VisionTransformerConfig config)
    {
        var (d, f, p) = (config.Width, config.FeedForwardWidth, config.PatchSize);
        yield return ("embeddings.cls_token", [1, 1, d]);
        if (config is DeitConfig)
            yield return ("embeddings.distillation_token", [1, 1, d]);
        yield return ("embeddings.position_embeddings", [1, config.Positions, d]);
        yield return ("embeddings.patch_embeddings.projection.weight", [d, config.Channels, p, p]);
        yield return ("embeddings.patch_embeddings.projection.bias", [d]);
        foreach (var name in Enumerable.Range(0, config.Layers).Select(l => $"encoder.layer.{l}."))
        {
            foreach (var (linear, input, output) in new[]
            {
                ("attention.attention.query", d, d), ("attention.attention.key", d, d), ("attention.attention.value", d, d),
                ("attention.output.dense", d, d), ("intermediate.dense", d, f), ("output.dense", f, d),
            })
            {
                yield return (name + linear + ".weight", [output, input]);
                yield return (name + linear + ".bias", [output]);
            }

            foreach (var norm in new[] { "layernorm_before", "layernorm_after" })
            {
                yield return (name + norm + ".weight", [d]);
                yield return (name + norm + ".bias", [d]);
            }
        }

        yield return ("layernorm.weight", [d]);
        yield return ("layernorm.bias", [d]);
    }
}
