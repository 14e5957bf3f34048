using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Moe;

namespace Samples.Tests;

/// <summary>
/// The scorer without ML.NET, in a process of its own: as managed code or, where <c>eng/test-native.sh</c> has compiled it, which needs what a plain build does
/// without, as native code.
/// </summary>
public sealed class NativeScorerTests : IDisposable
{
    private static readonly string[] Texts = ["rain sun storm", "soup cheese rice", "train ticket hotel", "rain"];
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Its_labels_and_probabilities_are_those_of_ML_NET()
    {
        var expected = TrainAndScore(_folder["model.zip"]);

        foreach (var (code, output, errors) in new[]
        {
            Run(null, [_folder["model.zip"], .. Texts]),
            Run(string.Join('\n', Texts), _folder["model.zip"]),
        })
        {
            Assert.True(code == 0, errors);
            var answers = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.TrimEnd('\r').Split('\t')).ToList();
            Assert.Equal(expected.Select(e => e.PredictedLabel), answers.Select(a => a[0]));
            Assert.All(expected.Zip(answers), pair =>
                Assert.Equal(pair.First.Score.Max(), float.Parse(pair.Second[1], CultureInfo.InvariantCulture)));
        }
    }

    [Fact]
    public void What_is_no_model_is_refused_in_a_line()
    {
        _folder.Write("model.zip", "no model");

        var (code, output, errors) = Run(null, _folder["model.zip"], "a text");

        Assert.Equal((2, ""), (code, output));
        Assert.Contains("no model zip", errors, StringComparison.Ordinal);
        Assert.Single(errors.TrimEnd().Split('\n'));
    }

    [Fact]
    public void It_is_short() => Assert.InRange(File.ReadLines(Path.Combine(ProgramTests.SamplesFolder(), "NativeScorer", "Program.cs")).Count(), 20, 80);

    private static List<Prediction> TrainAndScore(string path)
    {
        var ml = new MLContext(seed: 1);
        string[][] words = [["rain", "sun", "storm", "cloud"], ["soup", "cheese", "rice", "bread"], ["train", "ticket", "hotel", "plane"]];
        var random = new Random(1);
        var rows = Enumerable.Range(0, 60).Select(i => new Sentence
        {
            Label = ((string[])["weather", "food", "travel"])[i % 3],
            Text = string.Join(' ', Enumerable.Range(0, 4).Select(_ => words[i % 3][random.Next(4)])),
        });
        using var model = ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(ml.MulticlassClassification.Trainers.MoeTextClassifier(new MoeTextClassificationTrainer.Options
            {
                Sentence1ColumnName = nameof(Sentence.Text),
                Width = 16,
                Heads = 2,
                Layers = 1,
                ExpertWidth = 16,
                HashBits = 10,
                MaxEpochs = 4,
                BatchSize = 16,
            }))
            .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"))
            .Fit(ml.Data.LoadFromEnumerable(rows.ToList()));
        ml.Model.Save(model, null, path);
        using var loaded = (IDisposable)ml.Model.Load(path, out _);
        var scored = ((ITransformer)loaded).Transform(ml.Data.LoadFromEnumerable(Texts.Select(text => new Sentence { Text = text })));
        return [.. ml.Data.CreateEnumerable<Prediction>(scored, reuseRowObject: false)];
    }

    private static (int Code, string Output, string Errors) Run(string? input, params string[] args) =>
        Environment.GetEnvironmentVariable("MLNETMOE_NATIVE_SCORER") is { Length: > 0 } program
            ? ProgramTests.Run(input, program, args)
            : ProgramTests.RunWith(input, "NativeScorer", args);

    private sealed class Sentence
    {
        public string Label { get; set; } = "";

        public string Text { get; set; } = "";
    }

    private sealed class Prediction
    {
        public string PredictedLabel { get; set; } = "";

        public float[] Score { get; set; } = [];
    }
}
