using System.Text.Json;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.Inputs.Images;

/// <summary>Images come to size and scale bit for bit as Pillow and transformers bring them there.</summary>
[Trait("Category", "Goldens")]
public sealed class GoldenPreprocessingTests
{
    private const string NoFolder = "";

    public static TheoryData<string> Folders { get; } =
        new(Goldens.Folders("models").Where(HasPictures).Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(NoFolder));

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void EveryPictureIsTheSameBitForBit(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of pictures: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "models", name);
        using var golden = GoldenModel.Open(path);
        foreach (var test in golden.Cases)
        {
            var (rgb, shape) = golden.Tensor(test.Name + ".rgb")!.Value;
            foreach (var processor in golden.Json.GetProperty("processors").EnumerateObject())
            {
                var preprocessing = ImagePreprocessing.Read(Path.Combine(path, processor.Name), channels: 3);
                var images = new ImageInput(preprocessing, 3);
                var pixels = images.Encode([.. rgb.Select(value => (byte)value)], shape[1], shape[0]);
                var values = new float[images.Length];
                preprocessing.Scale.CopyTo(pixels, values);
                var what = $"{test.Name}.{processor.Name}";
                Assert.Equal(golden.Tensor(what + ".pixel_values")!.Value.Values, Planes(values));
            }
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void TheModelScoresPicturesAsTheOriginalDoes(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of pictures: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "models", name);
        using var golden = GoldenModel.Open(path);
        using var engine = new ManagedEngine();
        Assert.True(golden.Json.TryGetProperty("logits", out var logits));
        var rows = logits.GetProperty("rows").EnumerateArray().Select(row => row.GetString()!).ToArray();
        var scores = new GoldenVision(PublishedFolder.Open(path), engine).Logits(
            [.. rows.Select(row => golden.Tensor(row + ".vit.pixel_values")!.Value)]);
        GoldenNumbers.Close(golden.Tensor(logits.GetProperty("name").GetString()!)!.Value.Values, scores, "logits");
    }

    private static float[] Planes(float[] pixels) =>
        [.. Enumerable.Range(0, 3).SelectMany(channel => pixels.Where((_, i) => i % 3 == channel))];

    private static bool HasPictures(string folder)
    {
        using var expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")));
        return expected.RootElement.TryGetProperty("processors", out _);
    }
}
