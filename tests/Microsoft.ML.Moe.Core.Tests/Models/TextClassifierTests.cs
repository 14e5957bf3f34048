using System.Text;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Models;

public sealed class TextClassifierTests : IDisposable
{
    private readonly ManagedEngine _engine = new(2);
    private readonly Model<EncodedText> _classifier;
    private readonly byte[] _config;
    private readonly byte[] _weights;

    public TextClassifierTests()
    {
        var trainer = new TextClassifierTrainer(ToyTable.Config(2), 3, _engine);
        _classifier = trainer.Train(ToyTable.Encoded(trainer.Input, 60, seed: 1));
        (_config, _weights) = _classifier.Save();
    }

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void SavedAndLoadedScoresAreEqual()
    {
        using var engine = new ManagedEngine(1);
        var loaded = ModelFiles.LoadText(new MemoryStream(_config), new MemoryStream(_weights), engine);

        Assert.Equal(Score(_classifier, "some rain today", "", "wake me"), Score(loaded, "some rain today", "", "wake me"));
        Assert.Equal(_classifier.ParameterCount, loaded.ParameterCount);
        Assert.Equal(3, loaded.Outputs);
    }

    [Fact]
    public void ARowsScoreDependsOnNoOtherRow()
    {
        string[] texts = [.. ToyTable.Rows(600, seed: 5).Select(r => r.Text)];

        var together = Score(_classifier, texts);

        for (var i = 0; i < texts.Length; i += 37)
            Assert.Equal(Score(_classifier, texts[i]), together[(i * 3)..(i * 3 + 3)]);
    }

    [Fact]
    public void ScoresAreProbabilities()
    {
        var scores = Score(_classifier, "the rain", "", new string('x', 5000), "\uD800 \0 ", "東京");

        Assert.All(scores, s => Assert.InRange(s, 0f, 1f));
        Assert.All(scores.Chunk(3), row => Assert.Equal(1f, row.Sum(), 1e-5));
    }

    [Fact]
    public void ScoringIsReentrant()
    {
        string[] texts = [.. ToyTable.Rows(200, seed: 6).Select(r => r.Text)];
        var expected = Score(_classifier, texts);

        Parallel.For(0, 16, _ => Assert.Equal(expected, Score(_classifier, texts)));
    }

    [Theory]
    [InlineData("\"width\": 16", "\"width\": 17", "Width")]
    [InlineData("\"width\": 16", "\"width\": 32", "tokens")]
    [InlineData("\"layers\": 1", "\"layers\": 2", "missing")]
    [InlineData("\"layers\": 1", "\"layers\": 0", "does not belong")]
    [InlineData("\"experts\": 3", "\"experts\": 1", "ExpertsPerToken")]
    [InlineData("\"expertsPerToken\": 2", "\"expertsPerToken\": 1.5", "whole number")]
    [InlineData("\"tokenChoice\"", "\"noSuchRouter\"", "Config.json")]
    [InlineData("\"version\": 3", "\"version\": 99", "Update")]
    [InlineData("\"hashBits\": 10", "\"hashBits\": 11", "vocabulary")]
    [InlineData("\"classes\": 3", "\"classes\": 2000000000", "Classes")]
    [InlineData("\"usesTokenizer\": false", "\"usesTokenizer\": true", "tokenizer")]
    [InlineData("\"version\": 3", "\"version\": 3, \"evil\": 2", "Config.json")]
    [InlineData("{", "", "Config.json")]
    public void ATamperedConfigIsRefused(string part, string replacement, string reason)
    {
        var text = Encoding.UTF8.GetString(_config);
        Assert.Contains(part, text, StringComparison.Ordinal);
        var tampered = Encoding.UTF8.GetBytes(text.Replace(part, replacement, StringComparison.Ordinal));

        var error = Assert.Throws<InvalidDataException>(
            () => ModelFiles.LoadText(new MemoryStream(tampered), new MemoryStream(_weights), _engine));

        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnOversizedConfigIsRefused() => Assert.Throws<InvalidDataException>(
        () => ModelFiles.LoadText(new MemoryStream(new byte[2 << 20]), new MemoryStream(_weights), _engine));

    [Fact]
    public void TooShortABufferIsRefused() =>
        Assert.Throws<ArgumentException>(() => _classifier.Score([_classifier.Input.Encode("a")], new float[2]));

    private static float[] Score(Model<EncodedText> classifier, params string[] texts) =>
        classifier.Scores([.. texts.Select(t => classifier.Input.Encode(t))]);
}
