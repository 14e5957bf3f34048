using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Heads;

/// <summary>
/// The decoder of an encoder–decoder: its blocks read the tokens so far and the encoder's states, and score what token comes next. It shares
/// the token table with the encoder. The targets are in the batch.
/// </summary>
internal sealed class DecoderHead : Head
{
    /// <summary>Name of the table, [V, D], whose products with the last states score the next token, where it is not the token table.</summary>
    public const string ScoresWeight = CausalConfig.NextTokenWeight;

    private readonly EncoderDecoderConfig _config;
    private readonly Decoder _decoder;
    private readonly Parameter _wordsVD;
    private readonly Parameter _scoresVD;

    public DecoderHead(ParameterStore store, EncoderDecoderConfig config)
    {
        _config = config;
        _wordsVD = store.Made(TokenIdEmbedding.WordsName);
        _decoder = config.CreateDecoder(store);
        _scoresVD = config.TiesDecoder
            ? _wordsVD
            : store.Normal(ScoresWeight, ParameterRole.Weight, 1f / MathF.Sqrt(config.Width), config.VocabularySize, config.Width);
    }

    /// <summary>Number of tokens that there are, V.</summary>
    public int VocabularySize => _config.VocabularySize;

    /// <summary>Id that the decoder begins with.</summary>
    public int StartId => _config.StartId;

    /// <inheritdoc/>
    public override int Outputs => 0;

    /// <summary>Of an encoder's token: the keys and values that each of the decoder's blocks makes of it.</summary>
    public override (double OfRow, double OfToken) Cost(int width) =>
        (0, 2.0 * _config.DecoderLayers * width * _config.Heads * _config.HeadWidth);

    /// <summary>
    /// Scores of the vocabulary for each token that is a target and counted, [M, V]. What routers of the decoder add to the loss is in
    /// <see cref="Tape.AuxiliaryLosses"/>.
    /// </summary>
    public override Tensor Forward(Tape tape, EncoderOutput encoded, Batch batch)
    {
        var targets = TargetsOf(batch);
        if (targets.Labels.Length == 0)
            return tape.Constant([], 0, VocabularySize);
        var observer = encoded.Pass.Observer;
        var losses = tape.IsTraining ? _config.CreateDecoderLoss(observer) : null;
        var states = Decode(encoded.Pass.Over(targets.Layout, losses ?? observer), targets.Inputs, new(encoded.Last, batch.Layout));
        if (losses?.Loss(tape) is { } loss)
            tape.AuxiliaryLosses.Add(loss);
        return Scores(tape, tape.Embedding(states.Last, targets.Rows));
    }

    /// <summary>Runs the decoder.</summary>
    /// <param name="context">The pass over its tokens.</param>
    /// <param name="ids">Id of each of T tokens.</param>
    /// <param name="source">What it reads.</param>
    public EncoderOutput Decode(ForwardContext context, ReadOnlySpan<int> ids, DecoderSource source)
    {
        var xTD = context.Tape.Embedding(_wordsVD, ids);
        return _decoder.Forward(context, context.Tape.Dropout(xTD, _config.Dropout), source);
    }

    /// <inheritdoc cref="CrossAttention.Keep"/>
    public void Keep(ForwardContext context, Tensor statesSD) => _decoder.Keep(context, statesSD);

    /// <summary>Scores of the vocabulary for what follows tokens, [M, D] → [M, V].</summary>
    public Tensor Scores(Tape tape, Tensor xMD)
    {
        xMD = tape.Dropout(xMD, _config.Dropout);
        return tape.MultiplyTransposed(
            _config.TiesDecoder ? tape.Scale(xMD, 1f / MathF.Sqrt(_config.Width)) : xMD, _scoresVD);
    }

    /// <inheritdoc/>
    public override void Write(Tape tape, Tensor scores, Span<float> outputs)
    {
    }

    /// <inheritdoc/>
    public override Tensor Loss(Tape tape, Tensor scores, Batch batch, Targets targets, TrainingConfig training)
    {
        var written = TargetsOf(batch);
        return tape.CrossEntropy(
            scores, Labels(batch), targets.WeightsOfTokens(written.Layout, written.Rows), training.LabelSmoothing);
    }

    /// <inheritdoc/>
    public override void Measure(Tape tape, Tensor scores, Batch batch, Targets targets, Measurement measurement)
    {
        if (scores.Shape[0] == 0)
            return;
        var written = TargetsOf(batch);
        measurement.AddTokens(tape, scores, Labels(batch), targets.WeightOfEachToken(written.Layout, written.Rows));
    }

    private int[] Labels(Batch batch) => TargetsOf(batch).Labels is { Length: > 0 } labels
        ? labels
        : throw new InvalidOperationException("The rows have no targets: there is nothing to learn.");

    private DecoderTargets TargetsOf(Batch batch) => ((TokenIdBatch)batch).Targets(_config.StartId, _config.PaddingId);
}

/// <summary>A <see cref="DecoderHead"/>; the encoder's configuration tells all of it.</summary>
internal sealed record DecoderHeadConfig : HeadConfig
{
    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => encoder is EncoderDecoderConfig config
        ? new DecoderHead(store, config)
        : throw new ArgumentException("Only an encoder–decoder has a decoder.", nameof(encoder));

    /// <inheritdoc/>
    public override IReadOnlyList<int> MoeBlocks(EncoderConfig encoder) => (encoder as EncoderDecoderConfig)?.DecoderMoeBlocks ?? [];
}
