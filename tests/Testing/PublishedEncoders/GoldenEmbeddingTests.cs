using System.Text.Json;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Folders of sentence-transformers give the embeddings that it gives, on any engine.</summary>
[Trait("Category", "Goldens")]
public abstract class GoldenEmbeddingTests
{
    private const string NoFolder = "";
    private const float Tolerance = 1e-5f;

    public static TheoryData<string> Folders { get; } =
        new(Goldens.Folders("models").Where(HasTexts).Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(NoFolder));

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void AgreesWithTheOriginal(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of sentence-transformers: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "models", name);
        using var golden = GoldenModel.Open(path);
        using var engine = CreateEngine();
        var plain = TextEmbedder.Load(engine, path);
        Assert.Equal(golden.Json.GetProperty("max_seq_length").GetInt32(), plain.MaximumTokens);
        foreach (var test in golden.Json.GetProperty("cases").EnumerateObject())
        {
            var embedder = For(plain, path, engine, test.Value);
            Assert.Equal(test.Value.GetProperty("prompt").GetString(), embedder.Text.Prompt);
            string[] texts = [.. test.Value.GetProperty("texts").EnumerateArray().Select(t => t.GetString()!)];
            Assert.All(texts, (text, i) => Assert.Equal(
                test.Value.GetProperty("ids")[i].EnumerateArray().Select(id => id.GetInt32()), embedder.Encode(text).Ids!.Ids));
            var (expected, shape) = golden.Tensor(test.Name + ".embeddings")!.Value;
            Assert.Equal(shape[1], embedder.Width);

            var together = new float[expected.Length];
            embedder.Embed(texts, together);
            Close(expected, together, $"{name} {test.Name}, all at once");
            var alone = new float[expected.Length];
            for (var i = 0; i < texts.Length; i++)
                embedder.Embed([texts[i]], alone.AsSpan(i * embedder.Width));
            Close(expected, alone, $"{name} {test.Name}, one by one");
        }
    }

    internal static void Close(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        var largest = 1f;
        foreach (var value in expected)
            largest = Math.Max(largest, Math.Abs(value));
        for (var i = 0; i < expected.Length; i++)
        {
            var difference = Math.Abs(expected[i] - actual[i]);
            Assert.True(difference <= Tolerance * largest, $"{what}: number {i} is off by {difference:g3}");
        }
    }

    private static TextEmbedder For(TextEmbedder plain, string path, Engine engine, JsonElement test)
    {
        var arguments = test.GetProperty("arguments");
        if (arguments.TryGetProperty("prompt", out var prompt))
            return plain.WithPrompt(prompt.GetString()!);
        if (arguments.TryGetProperty("prompt_name", out var name))
            return TextEmbedder.Load(engine, path, new EmbeddingSettings { PromptName = name.GetString() });
        return test.GetProperty("method").GetString() switch
        {
            "encode" => plain,
            "encode_query" => plain.ForQueries(),
            "encode_document" => plain.ForDocuments(),
            var other => throw new InvalidDataException($"Nothing is known of the method {other}."),
        };
    }

    private static bool HasTexts(string folder)
    {
        using var expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")));
        return expected.RootElement.TryGetProperty("max_seq_length", out _)
            && expected.RootElement.GetProperty("cases").EnumerateObject().All(c => c.Value.TryGetProperty("method", out _));
    }
}
