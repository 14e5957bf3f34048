using System.Globalization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>
/// A published encoder of images with the layers that it was saved with, and how it is compared with a <see cref="GoldenModel"/>.
/// </summary>
internal sealed class GoldenVision(PublishedFolder folder, Engine engine)
{
    // gradients of the goldens are without dropout
    private readonly VisionConfig _config = (VisionConfig)folder.Encoder with { Dropout = 0f, AttentionDropout = 0f };

    public void Compare(GoldenCase test, TensorSource weights)
    {
        var (pixels, shape) = test["pixel_values"]!.Value;
        var (rows, channels, height, width) = (shape[0], shape[1], shape[2], shape[3]);
        var input = new PatchInput(PublishedImageInputConfig.Of(_config, AsTheyAre(channels, width, height)));
        ParameterStore? store = null;
        var (embedding, encoder, classes, distilled, pooler) = folder.Load(engine, 0, made =>
        {
            store = made;
            return (
                input.CreateEmbedding(made, _config),
                _config.CreateEncoder(made),
                test.Outputs.Contains("logits") ? Classes(made, "classes.output") : null,
                test.Outputs.Contains("distillation_logits") ? Classes(made, "classes.distilled") : null,
                test.Outputs.Contains("pooler_output") ? new FirstTokenLayer(made, "pooler", _config.Width) : null);
        });

        using var tape = engine.BeginTape(training: test.HasGradients);
        var batch = input.CreatePacker(new Packing(false, true)).Pack(
            [.. Enumerable.Range(0, rows).Select(row => Pixels(input.Images, pixels.AsSpan(row * channels * height * width), channels))]);
        var context = new ForwardContext(tape, batch.Layout);
        var encoded = encoder.Forward(context, embedding.Forward(context, batch));
        var starts = batch.Layout.Offsets[..rows].ToArray();
        var ofFirst = classes?.Forward(tape, tape.Embedding(encoded.Last, starts));
        var ofSecond = distilled?.Forward(tape, tape.Embedding(encoded.Last, [.. starts.Select(start => start + 1)]));
        var logits = ofSecond is null ? ofFirst : tape.Scale(tape.Add(ofFirst!, ofSecond), 0.5f);
        var gradients = new Dictionary<string, float[]>();
        if (test.HasGradients)
        {
            var loss = tape.CrossEntropy(logits!, [.. test["labels"]!.Value.Values.Select(label => (int)label)], []);
            GoldenNumbers.Close(test.Scalar("loss")!.Value, loss.ToArray()[0], 1, test.Name + " loss");
            tape.Backward(loss);
            gradients = PublishedGradients.Of(store!.All.Select(p => p.Parameter), folder.Encoder.CreateRules(), weights);
        }

        var last = "hidden_states." + _config.Layers.ToString(CultureInfo.InvariantCulture);
        foreach (var output in test.Outputs)
        {
            var actual = output switch
            {
                "logits" => logits!.ToArray(),
                "cls_logits" => ofFirst!.ToArray(),
                "distillation_logits" => ofSecond!.ToArray(),
                "last_hidden_state" => encoded.Last.ToArray(),
                "pooler_output" => pooler!.Forward(tape, encoded.Last, batch.Layout).ToArray(),
                _ when output.StartsWith("grad.", StringComparison.Ordinal) => gradients[output["grad.".Length..]],
                // ours are normalised already
                _ when output == last => null,
                _ => encoded.After(int.Parse(output["hidden_states.".Length..], CultureInfo.InvariantCulture)).ToArray(),
            };
            if (actual is not null)
                GoldenNumbers.Close(test[output]!.Value.Values, actual, $"{test.Name} {output}");
        }

        if (test[last] is var (values, ofLast))
        {
            var norm = store!.All.ToDictionary(p => p.Parameter.Name, p => p.Parameter);
            var normed = tape.LayerNorm(
                tape.Constant(values, ofLast[0] * ofLast[1], ofLast[2]), norm["outputNorm.gain"], norm["outputNorm.bias"], _config.NormEpsilon);
            GoldenNumbers.Close(normed.ToArray(), encoded.Last.ToArray(), $"{test.Name} {last}");
        }
    }

    /// <summary>Scores of classes by the first token, of images as [C, H, W] each.</summary>
    public float[] Logits(IReadOnlyList<(float[] Values, int[] Shape)> images)
    {
        var shape = images[0].Shape;
        var input = new PatchInput(PublishedImageInputConfig.Of(_config, AsTheyAre(shape[0], shape[2], shape[1])));
        var (embedding, encoder, classes) = folder.Load(
            engine, 0, made => (input.CreateEmbedding(made, _config), _config.CreateEncoder(made), Classes(made, "classes.output")));
        using var tape = engine.BeginTape(training: false);
        var batch = input.CreatePacker(new Packing(false, true)).Pack([.. images.Select(image => Pixels(input.Images, image.Values, shape[0]))]);
        var context = new ForwardContext(tape, batch.Layout);
        var last = encoder.Forward(context, embedding.Forward(context, batch)).Last;
        return classes.Forward(tape, tape.Embedding(last, batch.Layout.Offsets[..images.Count])).ToArray();
    }

    private Linear Classes(ParameterStore store, string name) =>
        new(store, name, _config.Width, folder.Settings.Count("id2label")!.Value);

    /// <summary>Pixels that have their scale already.</summary>
    private static ImagePreprocessing AsTheyAre(int channels, int width, int height) => new()
    {
        ResizeWidth = width,
        ResizeHeight = height,
        Factor = 1,
        Means = new float[channels],
        Deviations = [.. Enumerable.Repeat(1f, channels)],
    };

    /// <summary>[C, H, W] as pixel by pixel.</summary>
    private static ImagePixels Pixels(ImageInput images, ReadOnlySpan<float> planes, int channels)
    {
        var pixels = new float[images.Length];
        for (var i = 0; i < pixels.Length; i++)
            pixels[i] = planes[i % channels * (images.Length / channels) + i / channels];
        return images.Encode(pixels);
    }
}
