using Microsoft.ML.Data;
using Microsoft.ML.Moe.Tests.TextPretraining;

namespace Microsoft.ML.Moe.Tests.FineTuning;

/// <summary>Models that training cannot start from: the message says which and why.</summary>
public sealed class InitialModelTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AMissingFileIsNamed()
    {
        var path = _folder["nowhere.zip"];
        var error = Assert.Throws<FileNotFoundException>(() => PretrainedModel.FromFile(path));
        Assert.Contains("nowhere.zip", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => PretrainedModel.FromFile(""));

        File.WriteAllText(path, "");
        PretrainedModel initial = path;
        File.Delete(path);
        Assert.Throws<FileNotFoundException>(() => Models.Fit(_ml, o => o.InitialModel = initial));
    }

    [Theory]
    [InlineData("")]
    [InlineData("this is no zip file")]
    public void AFileThatIsNoModelIsNamed(string content)
    {
        File.WriteAllText(_folder["wrong.zip"], content);
        var error = Assert.Throws<InvalidOperationException>(() => Models.Fit(_ml, o => o.InitialModel = _folder["wrong.zip"]));
        Assert.Contains("wrong.zip", error.Message, StringComparison.Ordinal);
        Assert.Contains("not a model", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ADamagedModelIsNamed()
    {
        using var earlier = Models.Fit(_ml);
        _ml.Model.Save(earlier, null, _folder["damaged.zip"]);
        var bytes = File.ReadAllBytes(_folder["damaged.zip"]);
        File.WriteAllBytes(_folder["damaged.zip"], bytes[..(bytes.Length / 2)]);
        var error = Assert.Throws<InvalidOperationException>(() => Models.Fit(_ml, o => o.InitialModel = _folder["damaged.zip"]));
        Assert.Contains("damaged.zip", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AModelOfOthersIsNamed()
    {
        var other = _ml.Transforms.CopyColumns("Copy", "Text").Fit(_ml.Data.LoadFromEnumerable(Tables.Rows()));
        _ml.Model.Save(other, null, _folder["other.zip"]);
        var error = Assert.Throws<InvalidOperationException>(() => Models.Fit(_ml, o => o.InitialModel = _folder["other.zip"]));
        Assert.Contains("other.zip holds no model of this library", error.Message, StringComparison.Ordinal);
        Assert.Contains("holds no model", Assert.Throws<ArgumentException>(() => PretrainedModel.From(other)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OneOfSeveralModelsHasToBeChosen()
    {
        using var classifier = Models.Fit(_ml);
        using var encoder = Encoders.Fit(_ml);
        var both = classifier.Append(new TransformerChain<ITransformer>(encoder));
        _ml.Model.Save(both, null, _folder["both.zip"]);
        var error = Assert.Throws<InvalidOperationException>(() => Models.Fit(_ml, o => o.InitialModel = _folder["both.zip"]));
        Assert.Contains("both.zip holds 2 models", error.Message, StringComparison.Ordinal);
        Assert.Contains("holds 2 models", Assert.Throws<ArgumentException>(() => PretrainedModel.From(both)).Message, StringComparison.Ordinal);
        using var chosen = Models.Fit(_ml, o => o.InitialModel = PretrainedModel.From(encoder));
    }

    [Fact]
    public void ADisposedModelIsAnError()
    {
        var earlier = Models.Fit(_ml);
        var initial = PretrainedModel.From(earlier);
        earlier.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Models.Fit(_ml, o => o.InitialModel = initial));
    }

    [Fact]
    public void UncertaintyColumnsNeedAnEarlierModelWithExperts()
    {
        using var dense = Models.Fit(_ml, o => o.MoeEvery = 0);
        var error = Assert.Throws<InvalidOperationException>(
            () => Models.Fit(_ml, o => (o.InitialModel, o.UncertainColumnName) = (PretrainedModel.From(dense), "Uncertain")));
        Assert.Contains("UncertainColumnName", error.Message, StringComparison.Ordinal);

        using var earlier = Models.Fit(_ml);
        using var started = Models.Fit(
            _ml, o => (o.InitialModel, o.UncertainColumnName, o.MoeEvery) = (PretrainedModel.From(earlier), "Uncertain", 0));
        Assert.NotNull(started.GetOutputSchema(_ml.Data.LoadFromEnumerable(Tables.Rows()).Schema).GetColumnOrNull("Uncertain"));
    }
}
