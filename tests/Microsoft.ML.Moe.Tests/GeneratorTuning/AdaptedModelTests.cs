using Microsoft.ML.Data;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using static Microsoft.ML.Moe.Tests.GeneratorTuning.TunedGenerators;

namespace Microsoft.ML.Moe.Tests.GeneratorTuning;

/// <summary>Adapters that were saved go with a published model: to write, to embed, to be trained on, to be merged.</summary>
public sealed class AdaptedModelTests : IDisposable
{
    private readonly TunedGenerators _models = new();
    private readonly MLContext _ml = new(seed: 1);

    public void Dispose() => _models.Dispose();

    private PublishedModel Adapted => _models.Olmoe.WithAdapters(_models["adapters"]);

    private PublishedModel WithMerged => _models.Olmoe.WithAdapters(_models["adapters"], merges: true);

    [Fact]
    public void SavedAdaptersMakeTheModelThatWasTrained()
    {
        using var trained = TrainAdapters();
        using var adapted = Generator(Adapted);
        using var plain = Generator(_models.Olmoe);
        Assert.Equal(Logs(trained), Logs(adapted));
        Assert.True(LargestDistance(Logs(plain), Logs(adapted)) > 0.1);
        adapted.SaveAdapters(_models["again"]);
        Assert.Equal(File.ReadAllBytes(Path.Combine(_models["adapters"], "adapter_model.safetensors")), File.ReadAllBytes(Path.Combine(_models["again"], "adapter_model.safetensors")));

        using var merged = Generator(WithMerged);
        Assert.InRange(LargestDistance(Logs(trained), Logs(merged)), 0, 1e-4);
        Assert.Throws<InvalidOperationException>(() => merged.SaveAdapters(_models["none"]));
    }

    [Theory]
    [InlineData(false, WeightPrecision.AsStored, 0)]
    [InlineData(true, WeightPrecision.AsStored, 0)]
    [InlineData(false, WeightPrecision.Int8, 0.1)]
    [InlineData(true, WeightPrecision.Int8, 0)]
    public void AZipKeepsThemBesideTheWeights(bool inFolder, WeightPrecision weights, double tolerance)
    {
        TrainAdapters().Dispose();
        using var adapted = Generator(Adapted, new GenerateTextOptions { KeepsWeightsInFolder = inFolder, Weights = weights });
        _ml.Model.Save(adapted, Table([]).Schema, _models["model.zip"]);
        Directory.Delete(_models["adapters"], recursive: true);
        using var loaded = (MoeTextGenerationTransformer)_ml.Model.Load(_models["model.zip"], out _);
        Assert.InRange(LargestDistance(Logs(adapted), Logs(loaded)), 0, tolerance);
        loaded.SaveAdapters(_models["again"]);
    }

    [Theory]
    [InlineData(WeightPrecision.AsStored, 1e-4)]
    [InlineData(WeightPrecision.Int8, 0.1)]
    public void AMergedTransformerIsOneWithoutAdapters(WeightPrecision weights, double tolerance)
    {
        TrainAdapters().Dispose();
        var adapted = Generator(Adapted, new GenerateTextOptions { KeepsWeightsInFolder = true, Weights = weights });
        var logs = Logs(adapted);
        Assert.Contains("Merged()", Assert.Throws<InvalidOperationException>(() => adapted.SaveHuggingFace(_models["none"])).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_models["none"]));

        using var merged = adapted.Merged();
        Assert.Equal(logs, Logs(adapted));
        adapted.Dispose();
        Assert.InRange(LargestDistance(logs, Logs(merged)), 0, tolerance);
        Assert.Throws<InvalidOperationException>(merged.Merged);
        merged.SaveHuggingFace(_models["merged"]);
        using var published = Generator(PublishedModel.FromFolder(_models["merged"]));
        Assert.InRange(LargestDistance(Logs(merged), Logs(published)), 0, tolerance);

        // the zip has weights of its own
        _ml.Model.Save(merged, Table([]).Schema, _models["merged.zip"]);
        Directory.Delete(_models["olmoe"], recursive: true);
        using var loaded = (MoeTextGenerationTransformer)_ml.Model.Load(_models["merged.zip"], out _);
        Assert.InRange(LargestDistance(Logs(merged), Logs(loaded)), 0, tolerance);
    }

    [Fact]
    public void ATrainingGoesOnWithTheAdaptersThatAreThere()
    {
        using var before = TrainAdapters();
        var losses = new List<double>();
        using var still = Fit(o => (o.Model, o.LearningRate, o.MergesAdapters) = (Adapted, 1e-9f, false));
        Assert.InRange(LargestDistance(Logs(before), Logs(still)), 0, 1e-4);

        using var further = Fit(o =>
        {
            (o.Model, o.MergesAdapters, o.MaxEpochs) = (Adapted, false, 6);
            o.EpochCompleted = report => losses.Add(report.TrainingLoss);
        });
        Assert.True(losses[^1] < 0.9 * losses[0], string.Join(" ", losses));
        var (own, now) = (Values(before), Values(further));
        Assert.Equal(own.Keys, now.Keys);
        Assert.All(own, value => Assert.Equal(!value.Key.StartsWith("adapters.", StringComparison.Ordinal), value.Value.AsSpan().SequenceEqual(now[value.Key])));

        _ml.Model.Save(further, Table([]).Schema, _models["further.zip"]);
        using var loaded = (MoeTextGenerationTransformer)_ml.Model.Load(_models["further.zip"], out _);
        Assert.Equal(Logs(further), Logs(loaded));
    }

    [Fact]
    public void MergedAdaptersAreWeightsThatLearn()
    {
        TrainAdapters().Dispose();
        using var before = Generator(WithMerged);
        using var tuned = Fit(o => (o.Model, o.MaxEpochs) = (WithMerged, 2));
        var (own, now) = (Values(before), Values(tuned));
        Assert.Equal(own.Keys, now.Keys);
        Assert.All(own, value => Assert.False(value.Value.AsSpan().SequenceEqual(now[value.Key]), value.Key));
    }

    [Fact]
    public void NewAdaptersCanLearnBesideMergedOnes()
    {
        TrainAdapters().Dispose();
        using var tuned = Fit(o => (o.Model, o.Adaptation, o.MergesAdapters) = (WithMerged, new LowRankAdaptation { Rank = 2 }, false));
        Assert.Equal(2, AdaptationOf(tuned)!.Rank);
        _ml.Model.Save(tuned, Table([]).Schema, _models["tuned.zip"]);
        Directory.Delete(_models["adapters"], recursive: true);
        using var loaded = (MoeTextGenerationTransformer)_ml.Model.Load(_models["tuned.zip"], out _);
        Assert.Equal(Logs(tuned), Logs(loaded));
    }

    [Fact]
    public void EmbeddingsAreThoseOfTheMergedModel()
    {
        TrainAdapters().Dispose();
        using (var merged = Generator(WithMerged))
            merged.SaveHuggingFace(_models["merged"]);
        var (expected, actual, plain) = (
            Embedded(_models["merged"], new EmbedTextOptions()),
            Embedded(_models["olmoe"], new EmbedTextOptions { AdapterFolder = _models["adapters"] }),
            Embedded(_models["olmoe"], new EmbedTextOptions()));
        Assert.InRange(LargestDistance(expected, actual), 0, 1e-6);
        Assert.True(LargestDistance(plain, actual) > 1e-3);
    }

    [Fact]
    public void WhatCannotBeIsNamed()
    {
        TrainAdapters().Dispose();
        var both = Assert.Throws<ArgumentException>(() => Trainer(o => (o.Model, o.Adaptation) = (Adapted, new LowRankAdaptation()))).Message;
        Assert.Contains("merges: true", both, StringComparison.Ordinal);
        Assert.Contains("KeepsWeightsInFolder", Assert.Throws<ArgumentException>(
            () => Generator(WithMerged, new GenerateTextOptions { KeepsWeightsInFolder = true })).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => _models.Olmoe.WithAdapters(""));
        Assert.Contains("AdapterFolder", Assert.Throws<ArgumentException>(() => new EmbedTextOptions { AdapterFolder = "" }).Message, StringComparison.Ordinal);
        Assert.Contains(_models["nowhere"], Assert.Throws<FileNotFoundException>(
            () => Generator(_models.Olmoe.WithAdapters(_models["nowhere"]))).Message, StringComparison.Ordinal);
        Assert.Contains(_models["adapters"], Assert.Throws<InvalidDataException>(
            () => Generator(_models.Llama.WithAdapters(_models["adapters"]))).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() => Generator(_models.Llama.WithAdapters(_models["adapters"], merges: true)));
        Assert.Equal($"{_models["olmoe"]} with the adapters in {_models["adapters"]}", Adapted.ToString());
        var tensors = Path.Combine(_models["adapters"], "adapter_model.safetensors");
        File.WriteAllBytes(tensors, File.ReadAllBytes(tensors)[..^4]);
        Assert.Contains(tensors, Assert.Throws<InvalidDataException>(() => Generator(Adapted)).Message, StringComparison.Ordinal);
        Assert.Contains(tensors, Assert.Throws<InvalidDataException>(
            () => Embedded(_models["olmoe"], new EmbedTextOptions { AdapterFolder = _models["adapters"] })).Message, StringComparison.Ordinal);
    }

    private MoeTextGenerationTransformer TrainAdapters()
    {
        var trained = Fit(o => (o.Adaptation, o.MergesAdapters, o.MaxEpochs) =
            (new LowRankAdaptation { Rank = 4, Layers = AdaptedLayers.Everything }, false, 4));
        trained.SaveAdapters(_models["adapters"]);
        return trained;
    }

    private MoeTextGenerationTransformer Fit(Action<MoeLanguageModelTrainer.Options> change) => Trainer(change).Fit(Table(LetterRows(40)));

    private MoeLanguageModelTrainer Trainer(Action<MoeLanguageModelTrainer.Options> change) => _models.Completer(_ml, change);

    private MoeTextGenerationTransformer Generator(PublishedModel model, GenerateTextOptions? options = null) => _ml.Transforms.Text
        .GenerateText("Prediction", "Source", model, (options ?? new GenerateTextOptions()) with { Device = MoeDevice.Cpu })
        .Fit(Table([]));

    private double[] Embedded(string folder, EmbedTextOptions options)
    {
        var rows = Table(LetterRows(3));
        using var embedder = _ml.Transforms.Text
            .EmbedText("Vector", "Source", PublishedEncoder.FromFolder(folder), options with { Device = MoeDevice.Cpu })
            .Fit(rows);
        return [.. embedder.Transform(rows).GetColumn<float[]>("Vector").SelectMany(vector => vector).Select(value => (double)value)];
    }

    private IDataView Table(IEnumerable<LetterRow> rows) => _ml.Data.LoadFromEnumerable(rows);

    private static double LargestDistance(double[] one, double[] other)
    {
        Assert.Equal(one.Length, other.Length);
        return one.Zip(other).Max(pair => Math.Abs(pair.First - pair.Second));
    }

    private static double[] Logs(MoeTextGenerationTransformer model)
    {
        using var held = (ModelLease<Model<EncodedText>>)model.Hold();
        return TextScoring.LogProbabilities(held.Model, [.. model.Generator.Files.Tokenizer.Encode("abcdabcd")]);
    }

    private static LowRankAdaptation? AdaptationOf(MoeTextGenerationTransformer model)
    {
        using var held = (ModelLease<Model<EncodedText>>)model.Hold();
        return held.Model.Adaptation;
    }

    private static Dictionary<string, float[]> Values(MoeTextGenerationTransformer model)
    {
        using var held = (ModelLease<Model<EncodedText>>)model.Hold();
        return held.Model.Parameters.All.ToDictionary(p => p.Parameter.Name, p => p.Parameter.Value.ToArray());
    }
}
