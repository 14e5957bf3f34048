using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.Generation;

/// <summary>Models that write text, saved in the form of transformers.</summary>
public sealed class GeneratorFolderTests
{
    private const string NoFolder = "";

    /// <summary>Folders of published models that write text.</summary>
    public static TheoryData<string> Folders
    {
        get
        {
            string[] names = [.. Goldens.Folders("models")
                .Where(path => File.Exists(Path.Combine(path, "config.json")) && Writes(path))
                .Select(path => Path.GetFileName(path)!)];
            return names.Length > 0 ? new(names) : new(NoFolder);
        }
    }

    [SkippableTheory]
    [Trait("Category", "Goldens")]
    [MemberData(nameof(Folders))]
    public void TensorsAreThoseThatWereRead(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of models that write: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "models", name);
        using var saved = new TemporaryFolder();
        using var engine = new ManagedEngine(1);
        var folder = PublishedFolder.Open(path);
        var input = new PublishedTextInput(PublishedTextInputConfig.Of(folder.Encoder), new LetterIds());
        var model = folder.Load(engine, input, folder.Encoder.WritingHead!, precision: WeightPrecision.AsStored);

        SafeTensorsWriter.WriteFolder(saved.Path, GeneratorFolderWriter.TensorsOf(model, type: null));

        SavedTensors.AreThoseOf(path, saved.Path);
    }

    [Theory]
    [InlineData(TinyCausal.Olmoe)]
    [InlineData(TinyCausal.Llama)]
    public void AModelIsReadBack(string config)
    {
        using var folder = new TemporaryFolder();
        using var engine = new ManagedEngine(1);
        var original = TinyCausal.Write(
            Path.Combine(folder.Path, "original"), config, generation: """{ "max_new_tokens": 7, "num_beams": 2, "eos_token_id": 1 }""");
        var (generator, model) = TextGenerator.Load(engine, original, WeightPrecision.Float32, "tiny");
        var saved = Path.Combine(folder.Path, "saved");

        GeneratorFolderWriter.Write(generator, model, saved);

        var (again, same) = TextGenerator.Load(engine, saved, WeightPrecision.Float32, "tiny");
        Assert.Equal(generator.Defaults, again.Defaults);
        Assert.Equal(generator.StartToken, again.StartToken);
        int[] ids = [2, 7, 9, 11, 8];
        Assert.Equal(TextScoring.LogProbabilities(model, ids), TextScoring.LogProbabilities(same, ids));
        var (before, after) = (ConfigOf(original), ConfigOf(saved));
        Assert.Equal("float32", (string?)after["dtype"]);
        after.Remove("dtype");
        Assert.Equal(before.ToJsonString(), after.ToJsonString());
    }

    [Fact]
    public void BFloat16StaysBFloat16()
    {
        using var folder = new TemporaryFolder();
        using var engine = new ManagedEngine(1);
        var original = TinyCausal.Write(Path.Combine(folder.Path, "original"), type: ElementType.BFloat16);
        var (generator, model) = TextGenerator.Load(engine, original, WeightPrecision.AsStored, "tiny");
        var saved = Path.Combine(folder.Path, "saved");

        GeneratorFolderWriter.Write(generator, model, saved);

        using var files = TensorFiles.Open(saved);
        Assert.All(files.Tensors.Values, tensor => Assert.Equal(TensorType.BF16, tensor.Type));
        Assert.Equal("bfloat16", (string?)ConfigOf(saved)["dtype"]);
    }

    [Fact]
    public void ATableThatScoresTokensTooIsWrittenOnce()
    {
        using var folder = new TemporaryFolder();
        using var engine = new ManagedEngine(1);
        var config = TinyCausal.Olmoe.Replace("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true", StringComparison.Ordinal);
        var original = TinyCausal.Write(Path.Combine(folder.Path, "original"), config);
        var (generator, model) = TextGenerator.Load(engine, original, WeightPrecision.Float32, "tiny");
        var saved = Path.Combine(folder.Path, "saved");

        GeneratorFolderWriter.Write(generator, model, saved);

        using var files = TensorFiles.Open(saved);
        Assert.Contains("model.embed_tokens.weight", files.Tensors.Keys);
        Assert.DoesNotContain("lm_head.weight", files.Tensors.Keys);
    }

    [Fact]
    public void OptionsOfGenerationAreReadBack()
    {
        var options = new GenerationOptions
        {
            MaximumNewTokens = 30,
            MaximumLength = 50,
            MinimumLength = 3,
            MinimumNewTokens = 2,
            EndTokens = [1, 4],
            StopStrings = ["end", "\n"],
            SequencesPerPrompt = 2,
            Beams = 4,
            LengthPenalty = 0.5f,
            EarlyStopping = EarlyStopping.WhenUnableToImprove,
            Sample = true,
            Temperature = 0.5f,
            TopK = 7,
            TopP = 0.5f,
            MinP = 0.25f,
            TypicalP = 0.75f,
            EpsilonCutoff = 0.125f,
            EtaCutoff = 0.0625f,
            RepetitionPenalty = 1.5f,
            NoRepeatNGramSize = 3,
            BannedSequences = [[5], [6, 7]],
            SequenceBiases = [new SequenceBias([8, 9], -2f)],
            SuppressedTokens = [3],
            SuppressedFirstTokens = [2, 5],
            ForcedFirstToken = 6,
            ForcedLastTokens = [1],
            LengthDecayStart = 10,
            LengthDecayFactor = 1.25f,
            RepairScores = true,
            RenormalizeScores = true,
        };
        foreach (var one in new[] { options, options with { EarlyStopping = EarlyStopping.WhenComplete }, new GenerationOptions() })
        {
            var json = GenerationConfigJson.Of(one).ToJsonString();
            Assert.Equal(one, GenerationConfigFile.Read(System.Text.Encoding.UTF8.GetBytes(json), model: null));
        }
    }

    [Fact]
    public void AModelThatWritesNothingIsRefused()
    {
        using var engine = new ManagedEngine(1);
        using var folder = new TemporaryFolder();
        var published = PublishedFolder.Open(TinyCausal.Write(folder.Path));
        var input = new PublishedTextInput(PublishedTextInputConfig.Of(published.Encoder), new LetterIds());
        var model = published.Load(engine, input, new VectorHeadConfig(), change: config => config);

        var error = Assert.Throws<InvalidOperationException>(() => GeneratorFolderWriter.TensorsOf(model, ElementType.Float32));

        Assert.Contains("writes no text", error.Message, StringComparison.Ordinal);
    }

    private static JsonObject ConfigOf(string folder) => (JsonObject)JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!;

    private static bool Writes(string path)
    {
        try
        {
            return PublishedFolder.Open(path).Encoder.WritingHead is not null;
        }
        catch (InvalidDataException)
        {
            // an architecture that is read elsewhere: images
            return false;
        }
    }
}
