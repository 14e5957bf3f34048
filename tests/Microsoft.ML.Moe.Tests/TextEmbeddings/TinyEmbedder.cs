using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.TextEmbeddings;

/// <summary>Folders with an encoder of random weights, and embedders out of them.</summary>
internal sealed class TinyEmbedder : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    /// <summary>Makes a folder.</summary>
    /// <param name="config">Its config.json.</param>
    public TinyEmbedder(string config = TinyPublished.Bert)
    {
        TinyPublished.Write(_folder.Path, config);
        TinyPublished.WriteTokenizer(_folder.Path);
        _folder.Write("README.md", "---\nlicense: mit\n---\n");
        _folder.Write("config_sentence_transformers.json", """{ "prompts": { "query": "find " } }""");
    }

    /// <summary>The encoder in the folder.</summary>
    public PublishedEncoder Encoder => PublishedEncoder.FromFolder(_folder.Path);

    /// <summary>Path of the folder.</summary>
    public string Path => _folder.Path;

    /// <summary>The estimator from <see cref="Row.Text"/>.</summary>
    public MoeTextEmbeddingEstimator Estimator(MLContext ml, EmbedTextOptions? options = null, string output = "Features") =>
        ml.Transforms.Text.EmbedText(output, nameof(Row.Text), Encoder, (options ?? new EmbedTextOptions()) with { Device = MoeDevice.Cpu });

    /// <summary>The transformer, fitted on the rows of <see cref="Tables"/>.</summary>
    public MoeTextEmbeddingTransformer Fit(MLContext ml, EmbedTextOptions? options = null, string output = "Features") =>
        Estimator(ml, options, output).Fit(ml.Data.LoadFromEnumerable(Tables.Rows()));

    public void Dispose() => _folder.Dispose();
}
