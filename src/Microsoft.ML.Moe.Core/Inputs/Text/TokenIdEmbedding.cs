using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Token vectors of a published encoder: norm(word[id] + position[…] + type[…]), without the tables, or the norm, that the architecture does not have.
/// </summary>
internal sealed class TokenIdEmbedding : TokenEmbedding
{
    /// <summary>Name of the token table, [V, D].</summary>
    public const string WordsName = "embedding.words";

    private const float Deviation = 0.02f;
    private readonly PublishedConfig _config;
    private readonly Parameter _wordsVD;
    private readonly Parameter? _positionsSD;
    private readonly Parameter? _typesKD;
    private readonly LayerNorm? _norm;
    private readonly float _scale;

    public TokenIdEmbedding(ParameterStore store, PublishedConfig config)
    {
        _config = config;
        _scale = (config as CausalConfig)?.EmbeddingScale ?? 1f;
        var d = config.Width;
        _wordsVD = store.Normal(WordsName, ParameterRole.Embedding, Deviation, config.VocabularySize, d);
        if (config.HasPositionTable)
            _positionsSD = store.Normal("embedding.positions", ParameterRole.Weight, Deviation, config.Positions, d);
        if (config.TokenTypes > 0)
            _typesKD = store.Normal("embedding.types", ParameterRole.Weight, Deviation, config.TokenTypes, d);
        _norm = config.NormsTokens ? new LayerNorm(store, "embedding.norm", d, config.NormEpsilon) : null;
    }

    /// <inheritdoc/>
    public override Tensor Forward(ForwardContext context, Batch batch)
    {
        var (tape, texts) = (context.Tape, (TokenIdBatch)batch);
        var xTD = tape.Embedding(_wordsVD, texts.Ids);
        if (_scale != 1f)
            xTD = tape.Scale(xTD, _scale);
        if (_positionsSD is not null)
            xTD = tape.Add(xTD, tape.Embedding(_positionsSD, PositionsOf(context, texts)));
        if (_typesKD is not null)
            xTD = tape.Add(xTD, tape.Embedding(_typesKD, texts.Types.IsEmpty ? new int[texts.Ids.Length] : texts.Types));
        return tape.Dropout(_norm?.Forward(tape, xTD) ?? xTD, _config.Dropout);
    }

    private ReadOnlySpan<int> PositionsOf(ForwardContext context, TokenIdBatch texts)
    {
        if (!texts.Positions.IsEmpty)
            return texts.Positions.Span;
        if (context.Cache is not null)
            return context.Positions();
        var positions = new int[texts.Ids.Length];
        var offsets = texts.Layout.Offsets;
        for (var i = 0; i + 1 < offsets.Length; i++)
        {
            var row = offsets[i]..offsets[i + 1];
            _config.FillPositions(texts.Ids[row], positions.AsSpan(row));
        }

        return positions;
    }
}
