using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Heads;

/// <summary>
/// Scores what token comes next, of each token's vector: its products with the rows of a table, the token table itself where the model ties
/// both. The targets are in the batch: the tokens that follow.
/// </summary>
internal sealed class NextTokenHead : Head
{
    private readonly Parameter _tableVD;
    private readonly Parameter? _bias1V;
    private readonly float _scale;

    public NextTokenHead(ParameterStore store, CausalConfig config)
    {
        var (v, d) = (config.VocabularySize, config.Width);
        _tableVD = config.TiesDecoder
            ? store.Made(TokenIdEmbedding.WordsName)
            : store.Normal(CausalConfig.NextTokenWeight, ParameterRole.Weight, 1f / MathF.Sqrt(d), v, d);
        _bias1V = config.HasScoreBias ? store.Constant(CausalConfig.NextTokenBias, ParameterRole.Bias, 0f, 1, v) : null;
        _scale = config.ScoreScale;
        VocabularySize = v;
    }

    /// <summary>Number of tokens that there are, V.</summary>
    public int VocabularySize { get; }

    /// <inheritdoc/>
    public override int Outputs => 0;

    /// <inheritdoc/>
    public override (double OfRow, double OfToken) Cost(int width) => (0, (double)width * VocabularySize);

    /// <summary>Scores of the vocabulary for what follows each token that a target follows, [M, V].</summary>
    public override Tensor Forward(Tape tape, EncoderOutput encoded, Batch batch) =>
        Scores(tape, tape.Embedding(encoded.Last, ((TokenIdBatch)batch).NextTokens().Rows));

    /// <summary>Scores of the vocabulary for what follows tokens, [M, D] → [M, V].</summary>
    public Tensor Scores(Tape tape, Tensor xMD)
    {
        var scoresMV = tape.MultiplyTransposed(xMD, _tableVD);
        if (_scale != 1f)
            scoresMV = tape.Scale(scoresMV, _scale);
        return _bias1V is null ? scoresMV : tape.Add(scoresMV, tape.Embedding(_bias1V, new int[xMD.Shape[0]]));
    }

    /// <inheritdoc/>
    public override void Write(Tape tape, Tensor scores, Span<float> outputs)
    {
    }

    /// <inheritdoc/>
    public override Tensor Loss(Tape tape, Tensor scores, Batch batch, Targets targets, TrainingConfig training)
    {
        var (rows, tokens) = ((TokenIdBatch)batch).NextTokens();
        return tape.CrossEntropy(scores, tokens, targets.WeightsOfTokens(batch.Layout, rows), training.LabelSmoothing);
    }

    /// <inheritdoc/>
    public override void Measure(Tape tape, Tensor scores, Batch batch, Targets targets, Measurement measurement)
    {
        var (rows, tokens) = ((TokenIdBatch)batch).NextTokens();
        measurement.AddTokens(tape, scores, tokens, targets.WeightOfEachToken(batch.Layout, rows));
    }
}

/// <summary>A <see cref="NextTokenHead"/>; the encoder's configuration tells all of it.</summary>
internal sealed record NextTokenHeadConfig : HeadConfig
{
    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => encoder is CausalConfig causal
        ? new NextTokenHead(store, causal)
        : throw new ArgumentException("Only a causal model can tell the next token.", nameof(encoder));
}
