using System.Globalization;
using System.Text.Json;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Tensors;
using Xunit.Abstractions;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>The encoders of the packages give the embeddings that the original programs give with the published files, on any engine.</summary>
[Trait("Category", "Goldens")]
public abstract class RealEmbeddingTests(ITestOutputHelper output)
{
    private const string None = "";

    public static TheoryData<string> Folders { get; } =
        new(Goldens.Folders("real").Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(None));

    public static TheoryData<string> Files { get; } = new(Goldens.Cases("real").DefaultIfEmpty(None));

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void AgreesWithSentenceTransformers(string name)
    {
        Skip.If(name == None, "There are no goldens of real encoders: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "real", name);
        using var golden = GoldenModel.Open(path);
        using var engine = CreateEngine();
        var folder = FolderOf(path);
        var embedder = TextEmbedder.Load(engine, folder);
        Assert.Equal(golden.Json.GetProperty("max_seq_length").GetInt32(), embedder.MaximumTokens);
        string[] texts = [.. golden.Json.GetProperty("texts").EnumerateArray().Select(t => t.GetString()!)];
        Assert.All(texts, (text, i) => Assert.Equal(
            golden.Json.GetProperty("ids")[i].EnumerateArray().Select(id => id.GetInt32()), embedder.Encode(text).Ids!.Ids));

        var embeddings = Embedded(embedder, texts);
        Compare(golden.Tensor("embeddings")!.Value.Values, embeddings, "embeddings");
        Compare(golden.Tensor("cosine")!.Value.Values, Products(embeddings, embedder.Width), "cosine");
        foreach (var (prefix, pooling) in new[] { ("mean_not_normalised", TextPooling.Mean), ("cls_not_normalised", TextPooling.FirstToken) })
        {
            var other = TextEmbedder.Load(engine, folder, new EmbeddingSettings { Pooling = [pooling], Normalize = false });
            for (var i = 0; i < texts.Length; i++)
                if (golden.Tensor($"{prefix}.{i}") is var (expected, _))
                    Compare(expected, Embedded(other, [texts[i]]), $"{prefix}.{i}");
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Files))]
    public void AgreesWithOnnxRuntime(string name)
    {
        Skip.If(name == None, "There are no goldens of ONNX Runtime.");
        using var golden = JsonDocument.Parse(File.ReadAllText(Goldens.Path(name)));
        using var engine = CreateEngine();
        var embedder = TextEmbedder.Load(engine, FolderOf(Path.ChangeExtension(Goldens.Path(name), null)));
        foreach (var test in golden.RootElement.GetProperty("cases").EnumerateArray())
        {
            var text = test.GetProperty("text").GetString()!;
            Assert.Equal(test.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()), embedder.Encode(text).Ids!.Ids);
            Compare([.. test.GetProperty("embedding").EnumerateArray().Select(v => v.GetSingle())], Embedded(embedder, [text]), text);
        }
    }

    private static float[] Embedded(TextEmbedder embedder, string[] texts)
    {
        var embeddings = new float[texts.Length * embedder.Width];
        embedder.Embed(texts, embeddings);
        return embeddings;
    }

    private static float[] Products(float[] rows, int width)
    {
        var vectors = rows.Chunk(width).ToArray();
        return [.. vectors.SelectMany(left => vectors.Select(right => left.Zip(right, (a, b) => a * b).Sum()))];
    }

    /// <summary>The folder's own files, if it has any, else those of the package that it is named after.</summary>
    private static string FolderOf(string golden) => File.Exists(Path.Combine(golden, "config.json"))
        ? golden
        : Path.GetFileName(golden) switch
        {
            "minilm" => PublishedEncoder.MiniLM.ResolveFolder(),
            "arctic-xs" => PublishedEncoder.ArcticXs.ResolveFolder(),
            var other => throw new InvalidDataException($"Nothing is known of the encoder {other}."),
        };

    private void Compare(float[] expected, float[] actual, string what)
    {
        GoldenEmbeddingTests.Close(expected, actual, what);
        var largest = expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: at most {largest:g3} apart"));
    }
}
