using System.Text.Json;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Published encoders compute what the libraries that they come from compute, on any engine.</summary>
[Trait("Category", "Goldens")]
public abstract class GoldenEncoderTests
{
    private const string NoFolder = "";

    public static TheoryData<string> Folders { get; } =
        new(Goldens.Folders("models").Where(IsEncoder).Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(NoFolder));

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void AgreesWithTheOriginal(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of encoders: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "models", name);
        var folder = PublishedFolder.Open(path);
        var newForm = Path.Combine(path, "config.v5.json");
        if (File.Exists(newForm))
            Assert.Equal(folder.Encoder, PublishedArchitectures.Read(PublishedFolder.ReadConfig(newForm)));
        using var golden = GoldenModel.Open(path);
        using var weights = TensorFiles.Open(path);
        using var engine = CreateEngine();
        Assert.All(golden.Cases, test => new GoldenEncoder(folder, engine, golden).Compare(test, weights));
    }

    /// <summary>Whether a folder has an encoder that is known, and expectations of it alone: not of one with a tokenizer.</summary>
    private static bool IsEncoder(string folder)
    {
        var settings = PublishedFolder.ReadConfig(Path.Combine(folder, "config.json"));
        if (!PublishedArchitectures.Knows(settings.Text("model_type", "")))
            return false;
        using var expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")));
        return expected.RootElement.GetProperty("cases").EnumerateObject().Any(c => c.Value.TryGetProperty("inputs", out _));
    }
}
