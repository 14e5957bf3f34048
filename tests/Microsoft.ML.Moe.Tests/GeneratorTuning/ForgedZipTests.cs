using Microsoft.ML.Moe.Tests.Persistence;
using static Microsoft.ML.Moe.Tests.GeneratorTuning.TunedGenerators;

namespace Microsoft.ML.Moe.Tests.GeneratorTuning;

/// <summary>Zips of fine-tuned models that say what cannot be.</summary>
public sealed class ForgedZipTests : IDisposable
{
    private readonly TunedGenerators _models = new();
    private readonly MLContext _ml = new(seed: 1);

    public void Dispose() => _models.Dispose();

    [Theory]
    [InlineData("Generator.json", "q {Source} {Context}", "no column", "Generator.json")]
    [InlineData("Generator.json", "q {Source} {Context}", "q {Source}", "'Context'")]
    [InlineData("Generator.json", "\"overlap\": 2", "\"overlap\": -2", "Generator.json")]
    [InlineData("Generator.json", "\"answer\": 0", "\"answer\": 7", "Generator.json")]
    [InlineData("Columns.json", "\"input\": null", "\"input\": \"Source\"", "Columns.json")]
    public void WhatATextIsWrittenToIsChecked(string entry, string before, string after, string named)
    {
        using var model = _ml.Transforms.Text.MoeTextToText(new MoeTextToTextTrainer.Options
        {
            Model = _models.Switch,
            Prompt = "q {Source} {Context}",
            Windows = new ContextWindows { ColumnName = "Context", Overlap = 2 },
            MaximumSourceTokens = 16,
            MaxEpochs = 1,
            Device = MoeDevice.Cpu,
        }).Fit(_ml.Data.LoadFromEnumerable(LetterRows(8)));
        AssertRefused(RoundTripTests.Save(model), entry, before, after, named);
    }

    [Theory]
    [InlineData("\"maximumTokens\": 256", "\"maximumTokens\": 0")]
    [InlineData("\"reading\": 0", "\"reading\": 5")]
    [InlineData("\"endToken\": 1", "\"endToken\": -1")]
    [InlineData("\"aaa\",", "")]
    [InlineData("\"aaa\"", "\"bbb\"")]
    [InlineData("\"aaa\"", "null")]
    public void WhatIsWrittenForClassesIsChecked(string before, string after)
    {
        var rows = _ml.Data.LoadFromEnumerable(LetterRows(30));
        using var model = _ml.MulticlassClassification.Trainers.MoeTextToText(new MoeTextToTextClassificationTrainer.Options
        {
            Model = _models.Switch,
            TextColumnName = "Source",
            LabelColumnName = "Target",
            MaxEpochs = 1,
            Device = MoeDevice.Cpu,
        }).Fit(_ml.Transforms.Conversion.MapValueToKey("Target").Fit(rows).Transform(rows));
        AssertRefused(RoundTripTests.Save(model), "ClassTexts.json", before, after, after.Length == 0 ? "classes" : "ClassTexts.json");
    }

    private static void AssertRefused(byte[] zip, string entry, string before, string after, string named)
    {
        var content = Zip.Text(zip, entry);
        Assert.Contains(before, content, StringComparison.Ordinal);
        Zip.AssertLoadingNames(named, Zip.Forge(zip, entry, content.Replace(before, after, StringComparison.Ordinal)));
    }
}
