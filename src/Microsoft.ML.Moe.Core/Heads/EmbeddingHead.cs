using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Heads;

/// <summary>
/// An embedding of each row: pooled states of some layers and, of a mixture, pooled router weights, side by side, then the modules. With the
/// defaults and the modules of a published folder it is what sentence-transformers computes.
/// </summary>
internal sealed class EmbeddingHead : Head
{
    private readonly EmbeddingHeadConfig _config;
    private readonly List<Func<Tape, Tensor, Tensor>> _modules = [];

    public EmbeddingHead(ParameterStore store, EmbeddingHeadConfig config, EncoderConfig encoder)
    {
        _config = config;
        var width = config.PooledWidth(encoder);
        foreach (var (number, module) in config.Modules.Index())
        {
            _modules.Add(module.Create(store, EmbeddingHeadConfig.NameOf(number), width));
            width = module.WidthAfter(width);
        }

        Outputs = width;
    }

    /// <inheritdoc/>
    public override int Outputs { get; }

    /// <inheritdoc/>
    public override bool ReadsRouters => _config.HasRouterWeights;

    /// <inheritdoc/>
    public override (double OfRow, double OfToken) Cost(int width) => (0, 0);

    /// <inheritdoc/>
    public override Tensor Forward(Tape tape, EncoderOutput encoded, Batch batch)
    {
        var layout = TokenPooling.Without(batch.Layout, _config.ExcludedTokens);
        var parts = new List<Tensor>();
        foreach (var layer in _config.Layers ?? [encoded.LastLayer])
            parts.Add(TokenPooling.Of(tape, encoded.After(layer), layout, _config.Pooling));
        if (_config.HasRouterWeights)
            parts.AddRange(encoded.RouterLogits!.Select(logitsTE => TokenPooling.Of(
                tape, _config.TakesRouterLogits ? logitsTE : tape.Softmax(logitsTE), layout, _config.Pooling)));
        var embeddings = parts.Count == 1 ? parts[0] : tape.Concat([.. parts]);
        foreach (var module in _modules)
            embeddings = module(tape, embeddings);
        return embeddings;
    }

    /// <inheritdoc/>
    public override void Write(Tape tape, Tensor scores, Span<float> outputs) => scores.CopyTo(outputs);

    /// <inheritdoc/>
    public override Tensor Loss(Tape tape, Tensor scores, Batch batch, Targets targets, TrainingConfig training) =>
        throw new InvalidOperationException("A model that gives embeddings has no targets to learn.");
}

/// <summary>What a model file tells of an <see cref="EmbeddingHead"/>.</summary>
internal sealed record EmbeddingHeadConfig : HeadConfig
{
    private const int MostModules = 16;
    private const int MostTokens = 1 << 20;

    /// <summary>Ways of pooling, side by side in their order; at least one.</summary>
    public IReadOnlyList<TextPooling> Pooling
    {
        get;
        init => field = value is { Count: > 0 and <= 16 } && value.All(Enum.IsDefined)
            ? value
            : throw new ArgumentException($"{nameof(Pooling)} must name from 1 to 16 ways of pooling.", nameof(Pooling));
    } = [TextPooling.Mean];

    /// <summary>First tokens of each row that take no part in pooling: a prompt's, where a folder says so.</summary>
    public int ExcludedTokens { get; init => field = OptionCheck.Range(value, 0, MostTokens, nameof(ExcludedTokens)); }

    /// <summary>Layers whose states are pooled: 0 the token vectors, l those after l blocks; null for the last.</summary>
    public IReadOnlyList<int>? Layers { get; init; }

    /// <summary>Whether the router weights of all MoE layers, the softmax of the routers' logits, are part of the embedding.</summary>
    public bool HasRouterWeights { get; init; }

    /// <summary>Whether these are the logits themselves, as MoEE's program takes them of most models.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool TakesRouterLogits { get; init; }

    /// <summary>What follows pooling.</summary>
    public IReadOnlyList<EmbeddingModule> Modules
    {
        get;
        init => field = value is { Count: <= MostModules } && value.All(m => m is not null)
            ? value
            : throw new ArgumentException($"There can be {MostModules} modules.", nameof(Modules));
    } = [];

    /// <summary>Name of a module's parameters, without their kind.</summary>
    public static string NameOf(int module) => $"head.modules.{module}";

    /// <summary>Numbers of a row before the modules.</summary>
    /// <exception cref="ArgumentException">The encoder has no such layers, or no routers.</exception>
    public int PooledWidth(EncoderConfig encoder)
    {
        if (Layers is { } layers && (layers.Count == 0 || layers.Any(l => l < 0 || l > encoder.Layers)))
        {
            throw new ArgumentException(
                $"{nameof(Layers)} = {string.Join(", ", layers)}: they must be from 0 (the token vectors) to {encoder.Layers}.", nameof(encoder));
        }

        if (HasRouterWeights && encoder.MoeLayers == 0)
            throw new ArgumentException("The encoder is not a mixture of experts: it has no router weights.", nameof(encoder));
        var ofStates = (long)(Layers?.Count ?? 1) * encoder.Width;
        var ofRouters = HasRouterWeights ? (long)encoder.MoeLayers * encoder.Experts : 0;
        return checked((int)(Pooling.Count * (ofStates + ofRouters)));
    }

    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => new EmbeddingHead(store, this, encoder);
}
