using Microsoft.Extensions.AI;

namespace Microsoft.ML.Moe.Tests.TextEmbeddings;

public sealed class EmbeddingGeneratorTests : IDisposable
{
    private static readonly string[] Texts = ["rain and sun", "", "the storm", "rain"];
    private readonly MLContext _ml = new(seed: 1);
    private readonly TinyEmbedder _tiny = new();
    private readonly MoeEmbeddingGenerator _generator;

    public EmbeddingGeneratorTests() => _generator = MoeEmbeddingGenerator.Create(_tiny.Encoder, new EmbedTextOptions { Device = MoeDevice.Cpu });

    public void Dispose()
    {
        _generator.Dispose();
        _tiny.Dispose();
    }

    [Fact]
    public async Task GivesWhatTheTransformGives()
    {
        using var transformer = _tiny.Fit(_ml);
        var expected = TextVectors.Of(_ml, transformer, Texts);
        var actual = await _generator.GenerateAsync(Texts);
        Assert.Equal(expected.Count, actual.Count);
        Assert.All(expected.Zip(actual), pair =>
        {
            Assert.Equal(16, pair.Second.Dimensions);
            Assert.Equal(_tiny.Path, pair.Second.ModelId);
            Assert.All(pair.First.Zip(pair.Second.Vector.ToArray()), x => Assert.Equal(x.First, x.Second, 1e-6f));
        });
        // letters and blanks, and two special tokens each
        Assert.Equal(12 + 0 + 9 + 4 + (2 * 4), actual.Usage!.InputTokenCount);
        Assert.Empty(await _generator.GenerateAsync([]));
    }

    [Fact]
    public async Task OrderIsThatOfTheTextsHoweverLongTheyAre()
    {
        string[] texts = [.. Enumerable.Range(0, 3000).Select(i => new string((char)('a' + (i % 26)), i % 13))];
        var together = await _generator.GenerateAsync(texts);
        foreach (var i in new[] { 0, 1, 12, 1023, 1024, 2999 })
        {
            var alone = await _generator.GenerateAsync([texts[i]]);
            Assert.All(alone[0].Vector.ToArray().Zip(together[i].Vector.ToArray()), x => Assert.Equal(x.First, x.Second, 1e-5f));
        }
    }

    [Fact]
    public void TellsWhatItIs()
    {
        var metadata = Assert.IsType<EmbeddingGeneratorMetadata>(_generator.GetService(typeof(EmbeddingGeneratorMetadata)));
        Assert.Equal((_tiny.Path, 16), (metadata.DefaultModelId, metadata.DefaultModelDimensions));
        Assert.Same(_generator, _generator.GetService(typeof(IEmbeddingGenerator<string, Embedding<float>>)));
        Assert.IsType<MoeTextEmbeddingTransformer>(_generator.GetService(typeof(ITransformer)));
        Assert.Null(_generator.GetService(typeof(MLContext)));
        Assert.Null(_generator.GetService(typeof(EmbeddingGeneratorMetadata), "key"));
    }

    [Fact]
    public async Task WhatItCannotDoIsAnError()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => _generator.GenerateAsync(["rain"], new EmbeddingGenerationOptions { Dimensions = 8 }));
        await Assert.ThrowsAsync<ArgumentException>(() => _generator.GenerateAsync(["rain"], new EmbeddingGenerationOptions { ModelId = "other" }));
        await Assert.ThrowsAsync<ArgumentException>(() => _generator.GenerateAsync(["rain", null!]));
        Assert.Throws<ArgumentException>(() => MoeEmbeddingGenerator.Create(_tiny.Encoder, new EmbedTextOptions { Standardize = true }));
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _generator.GenerateAsync(Texts, cancellationToken: stop.Token));
        var other = MoeEmbeddingGenerator.Create(_tiny.Fit(_ml));
        other.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => other.GenerateAsync(Texts));
    }
}
