using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>
/// T5 and Switch Transformers compute what the libraries that they come from compute, on any engine: states of both stacks, scores, routers,
/// dropped tokens, losses and gradients.
/// </summary>
[Trait("Category", "Goldens")]
public abstract class GoldenSequenceToSequenceTests
{
    private const string NoFolder = "";

    public static TheoryData<string> Folders { get; } =
        new(Goldens.Folders("models").Where(IsEncoderDecoder).Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(NoFolder));

    protected abstract Engine CreateEngine();

    /// <summary>As transformers 4.57 has it, which counts a dropped token as one of expert 0.</summary>
    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void AgreesWithTheOriginal(string name)
    {
        var path = PathOf(name);
        using var golden = GoldenModel.Open(path);
        Compare(path, golden, null, DroppedTokens.Zero, dropsToFirst: true);
    }

    /// <summary>As transformers 5.23 has it, which counts a dropped token as one of the expert that it would have had.</summary>
    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void CountsDroppedTokensAsALaterVersion(string name)
    {
        var path = PathOf(name);
        using var golden = GoldenModel.Open(path);
        using var later = GoldenModel.OpenOther(path, "5.23", golden);
        Skip.If(later is null, "There is nothing of the later version.");
        Compare(path, golden, later, DroppedTokens.Zero, dropsToFirst: false);
    }

    /// <summary>As transformers up to 4.51 has it, in which a dropped token gives p·x.</summary>
    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void LetsDroppedTokensPassAsAnEarlierVersion(string name)
    {
        var path = PathOf(name);
        using var golden = GoldenModel.Open(path);
        using var earlier = GoldenModel.OpenOther(path, "passthrough", golden);
        Skip.If(earlier is null, "There is nothing of the earlier version.");
        Compare(path, earlier, null, DroppedTokens.PassThrough, dropsToFirst: true);
    }

    /// <summary>Greedy answers and the scores of each step, with a cache and without, padded prompts too.</summary>
    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void DecodesAsTheOriginal(string name)
    {
        var path = PathOf(name);
        using var golden = GoldenModel.Open(path);
        using var engine = CreateEngine();
        var model = new GoldenDecoding(PublishedFolder.Open(path), engine, golden);
        Skip.If(model.Greedy.Count == 0, "There are no greedy answers.");
        Assert.All(model.Greedy, entry => model.Compare(entry));
    }

    /// <summary>Texts, and what is to be written to them, as ids.</summary>
    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void EncodesTextsAndTargetsAsTheOriginal(string name)
    {
        var path = PathOf(name);
        using var golden = GoldenModel.Open(path);
        Skip.If(!golden.Json.TryGetProperty("texts", out var texts), "There are no texts.");
        var input = new PublishedTextInput(PublishedTextInputConfig.Of(PublishedFolder.Open(path).Encoder), PublishedTokenizer.Load(path));
        string[] prompts = [.. texts.GetProperty("prompts").EnumerateArray().Select(text => text.GetString()!)];
        Assert.Equal(Rows(golden.Tensor("qa.input_ids")!.Value, 0), prompts.Select(prompt => input.Encode(prompt).Ids!.Ids));

        string[] answers = [.. texts.GetProperty("supervised_answers").EnumerateArray().Select(text => text.GetString()!)];
        var rows = answers.Select((answer, number) => input.EncodeWithTarget(prompts[number], answer, 100).Ids!).ToList();
        Assert.Equal(Rows(golden.Tensor("supervised.input_ids")!.Value, 0), rows.Select(row => row.Ids));
        Assert.Equal(Rows(golden.Tensor("supervised.labels")!.Value, TokenIds.NotCounted), rows.Select(row => row.Targets!));
        var end = rows[0].Targets![^1];
        Assert.Equal([rows[0].Targets![0], end], input.EncodeWithTarget(prompts[0], answers[0], 2).Ids!.Targets!);

        static int[][] Rows((float[] Values, int[] Shape) padded, int padding) =>
            [.. padded.Values.Select(v => (int)v).Chunk(padded.Shape[1]).Select(row => row[..(Array.FindLastIndex(row, id => id != padding) + 1)])];
    }

    /// <summary>The same configuration as a later version writes it.</summary>
    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void ReadsBothFormsOfTheConfiguration(string name)
    {
        var path = PathOf(name);
        var later = Path.Combine(path, "config.v5.json");
        Skip.If(!File.Exists(later), "There is no second form.");
        Assert.Equal(PublishedFolder.Open(path).Encoder, PublishedArchitectures.Read(PublishedFolder.ReadConfig(later)));
    }

    private void Compare(string path, GoldenModel golden, GoldenModel? later, DroppedTokens droppedTokens, bool dropsToFirst)
    {
        using var weights = TensorFiles.Open(path);
        using var engine = CreateEngine();
        var model = new GoldenSequenceToSequence(PublishedFolder.Open(path), weights, engine, droppedTokens, dropsToFirst);
        GoldenCase[] cases = [.. golden.Cases.Where(test => test["labels"] is not null || test["decoder_input_ids"] is not null)];
        Assert.NotEmpty(cases);
        Assert.All(cases, test => model.Compare(test, later));
    }

    private static string PathOf(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of encoder–decoders: set MLNETMOE_GOLDENS to their folder.");
        return Path.Combine(Goldens.Root!, "models", name);
    }

    private static bool IsEncoderDecoder(string folder) => PublishedArchitectures.KnowsEncoderDecoder(
        PublishedFolder.ReadConfig(Path.Combine(folder, "config.json")).Text("model_type", ""));
}
