using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Models;

/// <summary>The same input and encoder under each head.</summary>
public sealed class ModelHeadTests : IDisposable
{
    private const int Width = 16;
    private readonly ManagedEngine _engine = new(1);
    private readonly TextInput _input = TextInput.Create(ToyTable.Input);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void ClassesAreProbabilitiesAndMeasuredByThem()
    {
        var model = Model(new ClassesHeadConfig { Classes = 4 });
        var rows = ToyTable.Encoded(_input, 20, seed: 1);

        var scores = model.Scores([.. rows.Select(row => row.Input)]);
        var measured = model.Measure(rows);

        Assert.Equal(4, model.Outputs);
        Assert.All(scores.Chunk(4), row => Assert.Equal(1f, row.Sum(), 1e-5f));
        Assert.Equal(20, measured.Count);
        Assert.Equal(-rows.Index().Average(r => Math.Log(scores[r.Index * 4 + (int)r.Item.Target])), measured.Loss, 1e-6);
        Assert.Equal(
            rows.Index().Average(r => Array.IndexOf(scores[(r.Index * 4)..], scores[(r.Index * 4)..(r.Index * 4 + 4)].Max()) == r.Item.Target ? 1.0 : 0),
            measured.Metric,
            1e-12);
    }

    [Fact]
    public void AVectorIsTheMeanOfTheTokens()
    {
        // without blocks, the tokens are those that the embedding and the norm after it make
        var model = Model(new VectorHeadConfig(), ToyTable.Encoder with { Layers = 0 });
        var text = _input.Encode("rain now please");

        var vector = model.Scores([text]);

        Assert.Equal(Width, model.Outputs);
        using var tape = _engine.BeginTape(training: false);
        var batch = model.Input.CreatePacker(model.Packing()).Pack([text]);
        var store = new ParameterStore(model.Parameters);
        var embedding = model.Input.CreateEmbedding(store, model.Config.Encoder);
        var context = new ForwardContext(tape, batch.Layout);
        var tokens = model.Config.Encoder.CreateEncoder(store).Forward(context, embedding.Forward(context, batch)).Last.ToArray();
        Assert.Equal(text.Length * Width, tokens.Length);
        Assert.All(Enumerable.Range(0, Width), d => Assert.Equal(tokens.Chunk(Width).Average(token => token[d]), vector[d], 1e-5f));
    }

    [Fact]
    public void AVectorHasNothingToBeMeasuredOrComparedBy()
    {
        var model = Model(new VectorHeadConfig());
        var rows = ToyTable.Encoded(_input, 3, seed: 1);

        Assert.Throws<InvalidOperationException>(() => model.Measure(rows));
        var error = Assert.Throws<InvalidOperationException>(() => model.CompareRouting(rows, [model.Router]));
        Assert.Contains("no classifier", error.Message, StringComparison.Ordinal);
        Assert.Equal("classes", Assert.Throws<ArgumentException>(() => WarmStart.From(model, [0])).ParamName);
    }

    [Fact]
    public void AVectorModelIsRoutedAndReportedLikeAnyOther()
    {
        var model = Model(new VectorHeadConfig());
        EncodedText[] texts = [.. ToyTable.Encoded(_input, 10, seed: 1).Select(row => row.Input)];

        var other = model.WithRouting(model.Router with { ExpertsPerToken = 1 });

        Assert.NotEqual(model.Scores(texts), other.Scores(texts));
        Assert.Equal(texts.Sum(text => text.Length), other.ReportRouting(texts).Tokens);
    }

    [Fact]
    public void HiddenTokensAreTheSameWheneverTheyAreMeasured()
    {
        var rows = ToyTable.Encoded(_input, 60, seed: 1);
        var vocabulary = MaskedVocabulary.Of(rows.Select(row => row.Input), 100);
        var model = Model(new MaskedTokenHeadConfig(vocabulary.Count));
        var packer = new TextBatchPacker(model.Packing(), masking: new TokenMasking(vocabulary, 0.3f));

        var (first, second) = (model.Measure(rows, packer), model.Measure(rows, packer));

        var tokens = rows.Sum(row => row.Input.Length - 1);
        Assert.InRange(first.Count, 0.2 * tokens, 0.4 * tokens);
        Assert.Equal((first.Count, first.Loss, first.Metric), (second.Count, second.Loss, second.Metric));
        // untrained, it knows little more than that there are so many
        Assert.InRange(first.Loss, 0.5 * Math.Log(vocabulary.Count), 2 * Math.Log(vocabulary.Count));
        Assert.Equal(0, model.Outputs);
    }

    [Fact]
    public void AModelOfOtherRowsIsRefused()
    {
        var (config, weights) = Model(new VectorHeadConfig()).Save();

        var error = Assert.Throws<InvalidDataException>(
            () => Moe.Models.ModelFiles.LoadImage(new MemoryStream(config), new MemoryStream(weights), _engine));

        Assert.Contains("other rows", error.Message, StringComparison.Ordinal);
    }

    private Model<EncodedText> Model(HeadConfig head, EncoderConfig? encoder = null)
    {
        var config = new ModelConfig { Input = _input.Config, Encoder = encoder ?? ToyTable.Encoder, Head = head };
        return new Model<EncodedText>(_engine, config, _input, new ParameterStore(_engine, seed: 1));
    }
}
