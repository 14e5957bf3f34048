using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

[Trait("Category", "Goldens")]
public sealed class SentenceFolderTests
{
    private const string NoFolder = "";
    private static readonly string[] Texts = ["The small boat left.", "", "a red bird sang in the garden while we listened to it, all day long"];

    public static TheoryData<string> Folders => GoldenEmbeddingTests.Folders;

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void WhatIsSavedIsTheSame(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of sentence-transformers: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "models", name);
        using var saved = new TemporaryFolder();
        using var engine = new ManagedEngine();
        var embedder = TextEmbedder.Load(engine, path);

        embedder.SaveHuggingFace(saved.Path);

        var again = TextEmbedder.Load(engine, saved.Path);
        Assert.Equal(Embedded(embedder), Embedded(again));
        Assert.Equal(Embedded(embedder.ForQueries()), Embedded(again.ForQueries()));
        Assert.Equal(embedder.MaximumTokens, again.MaximumTokens);
        Assert.Equal(embedder.Text, again.Text with { Prompts = embedder.Text.Prompts });
        Assert.Equal(embedder.Text.Prompts, again.Text.Prompts);
        SavedTensors.AreThoseOf(path, saved.Path, mayLack: "pooler.");
        foreach (var own in Directory.GetDirectories(path).Where(f => File.Exists(Path.Combine(f, "model.safetensors"))))
            SavedTensors.AreThoseOf(own, Path.Combine(saved.Path, Path.GetFileName(own)));
    }

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void BFloat16IsNear(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of sentence-transformers: set MLNETMOE_GOLDENS to their folder.");
        using var saved = new TemporaryFolder();
        using var engine = new ManagedEngine();
        var embedder = TextEmbedder.Load(engine, Path.Combine(Goldens.Root!, "models", name));

        embedder.SaveHuggingFace(saved.Path, ElementType.BFloat16);

        using (var files = TensorFiles.Open(saved.Path))
            Assert.All(files.Tensors.Values, tensor => Assert.Equal(TensorType.BF16, tensor.Type));
        Assert.Contains("\"bfloat16\"", File.ReadAllText(Path.Combine(saved.Path, "config.json")), StringComparison.Ordinal);
        var (expected, actual) = (Embedded(embedder), Embedded(TextEmbedder.Load(engine, saved.Path)));
        var largest = expected.Max(Math.Abs);
        Assert.All(expected.Zip(actual), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0f, 0.05f * largest));
    }

    private static float[] Embedded(TextEmbedder embedder)
    {
        var embeddings = new float[Texts.Length * embedder.Width];
        embedder.Embed(Texts, embeddings);
        return embeddings;
    }
}
