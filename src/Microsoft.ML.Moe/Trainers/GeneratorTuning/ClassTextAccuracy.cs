using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>Share of some of the validation rows whose class is told right, from 0 to 100.</summary>
/// <param name="Rows">The rows.</param>
/// <param name="Scorer">Tells classes, as the trained model will.</param>
internal sealed record ClassTextAccuracy(IReadOnlyList<TaughtRow> Rows, ClassTextScorer Scorer)
    : ValidationMetric(nameof(TextMetric.Accuracy))
{
    internal override GenerationOptions Writing => Scorer.Generation;

    internal override void AddTo(TrainingDigest digest)
    {
        base.AddTo(digest);
        digest.AddJson(Scorer.Settings).AddTexts(Rows.Select(row => row.Prompt)).AddJson(Rows.Select(row => row.Targets));
    }

    internal override double ScoreOf(Model<EncodedText> model, IReadOnlyList<Example<EncodedText>> validation)
    {
        var texts = Scorer.Settings.Texts;
        var scores = new float[Rows.Count * texts.Count];
        Scorer.Score(model, [.. Rows.Select(row => row.Prompt)], scores);
        return 100 * Rows.Index().Average(row => IsRight(scores.AsSpan(row.Index * texts.Count, texts.Count), row.Item) ? 1.0 : 0.0);

        bool IsRight(ReadOnlySpan<float> scoresC, TaughtRow row)
        {
            // what is not a number, of a text that is no class's, is never larger
            var (best, largest) = (-1, -1f);
            for (var c = 0; c < scoresC.Length; c++)
                if (scoresC[c] > largest)
                    (best, largest) = (c, scoresC[c]);
            return best >= 0 && texts[best] == row.Targets[0];
        }
    }
}
