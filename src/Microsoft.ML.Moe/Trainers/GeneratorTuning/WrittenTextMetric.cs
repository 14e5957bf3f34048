using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>Measures what a model writes to some of the validation rows, from 0 to 100.</summary>
/// <param name="Metric">How.</param>
/// <param name="Rows">The rows.</param>
/// <param name="Writer">Writes, as the trained model will.</param>
internal sealed record WrittenTextMetric(TextMetric Metric, IReadOnlyList<TaughtRow> Rows, RowWriter Writer)
    : ValidationMetric(Metric.ToString())
{
    internal override GenerationOptions Writing => Writer.Options;

    internal override double ScoreOf(Model<EncodedText> model, IReadOnlyList<Example<EncodedText>> validation)
    {
        var written = Writer.Write(model, [.. Rows.Select(row => row.Prompt)], withEntropies: false);
        var rouge = new Rouge();
        return 100 * Rows.Zip(written, (row, answer) => Score(Metric, rouge, answer.Answer.Text, row.Targets)).Average();
    }

    internal override void AddTo(TrainingDigest digest)
    {
        base.AddTo(digest);
        digest.AddTexts(Rows.Select(row => row.Prompt)).AddJson(Rows.Select(row => row.Targets));
    }

    /// <summary>Measures an answer, from 0 to 1.</summary>
    /// <param name="metric">How; of written texts.</param>
    /// <param name="rouge">Computes ROUGE.</param>
    /// <param name="answer">The answer.</param>
    /// <param name="targets">Texts that would be right, at least one.</param>
    public static double Score(TextMetric metric, Rouge rouge, string answer, IReadOnlyList<string> targets) => metric switch
    {
        TextMetric.ExactMatch => AnswerMatch.Best(answer, [.. targets]).ExactMatch,
        TextMetric.F1 => AnswerMatch.Best(answer, [.. targets]).F1,
        TextMetric.RougeL => rouge.Best("rougeL", [.. targets], answer).F1,
        _ => rouge.Best("rougeLsum", [.. targets], answer).F1,
    };
}
