using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Training;

/// <summary>Learning to write: rows of similar length together, and, where that is asked for, answers to choose the best epoch by.</summary>
/// <param name="model">The model, as it is trained.</param>
/// <param name="packer">Packs its rows.</param>
/// <param name="rows">The rows.</param>
/// <param name="config">How it is trained.</param>
/// <param name="metric">Measures answers; null for none.</param>
internal sealed class GeneratorObjective(
    Model<EncodedText> model, Packer<EncodedText> packer, TrainingRows<EncodedText> rows, GeneratorTrainingConfig config, AnswerMetric? metric)
    : ModelObjective<EncodedText>(model, packer, rows.Training, rows.Validation, config.Training)
{
    private readonly Model<EncodedText> _model = model;

    // shorter prompts first, so that none waits for a longer one to be read
    private readonly int[] _byLength = metric is null
        ? []
        : [.. Enumerable.Range(0, rows.Validation.Count).OrderBy(row => rows.Validation[row].Input.Length)];

    /// <inheritdoc/>
    public override void Arrange(Span<int> order, int batchSize, Random random)
    {
        if (config.BatchesByLength)
            LengthBuckets.Arrange(order, batchSize, example => LengthOf(Training[example].Input), random);
    }

    /// <inheritdoc/>
    public override ValidationResult? Evaluate()
    {
        var evaluation = base.Evaluate();
        if (evaluation is null || metric is null)
            return evaluation;
        var answers = new IReadOnlyList<int>[rows.Validation.Count];
        IGenerativeModel writer = _model.Head is DecoderHead ? new EncoderDecoderModel(_model) : new CausalModel(_model);
        foreach (var batch in _byLength.Chunk(metric.BatchSize))
        {
            int[][] prompts = [.. batch.Select(row => PromptOf(rows.Validation[row].Input.Ids!))];
            var written = new Generator(writer, metric.Generation).Generate(prompts, place => batch[place]);
            foreach (var (place, row) in batch.Index())
                answers[row] = written[place][0].Tokens;
        }

        return evaluation.Value with { Score = metric.Measure(answers) };
    }

    private static int LengthOf(EncodedText row) => row.Length + (row.Ids!.Targets?.Length ?? 0);

    private int[] PromptOf(TokenIds ids) => _model.Head is DecoderHead ? ids.Ids : ids.Ids[..ids.FirstTarget];
}
