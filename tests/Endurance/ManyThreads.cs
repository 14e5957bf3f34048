using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.Endurance;

/// <summary>One model that many threads predict with, each with an engine of its own.</summary>
internal static class ManyThreads
{
    /// <summary>Predicts.</summary>
    /// <param name="threads">How many threads.</param>
    /// <param name="predictions">Of each.</param>
    /// <returns>How many predictions were not those of a single thread, bit for bit.</returns>
    public static long Run(int threads, int predictions)
    {
        var ml = new MLContext(seed: 1);
        using var model = Models.Fit(ml);
        var rows = Tables.Rows(64, seed: 2);
        var expected = Models.Score(ml, model, rows).ConvertAll(p => p.Score);
        var different = 0L;
        var workers = Enumerable.Range(0, threads).Select(thread => new Thread(() =>
        {
            var options = new PredictionEngineOptions { OwnsTransformer = false };
            using var engine = ml.Model.CreatePredictionEngine<Row, Prediction>(model, options);
            for (var i = 0; i < predictions; i++)
            {
                var row = (i * 7 + thread) % rows.Count;
                if (!engine.Predict(rows[row]).Score.AsSpan().SequenceEqual(expected[row]))
                    Interlocked.Increment(ref different);
            }
        })).ToList();
        workers.ForEach(w => w.Start());
        workers.ForEach(w => w.Join());
        return different;
    }
}
