using System.Diagnostics;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Benchmarks.Cases;

namespace Microsoft.ML.Moe.Benchmarks.Peer;

/// <summary>A model that one side has fitted, with what it took and what it reached.</summary>
/// <param name="Model">The model.</param>
/// <param name="FitSeconds">How long the fit took.</param>
/// <param name="Accuracy">Share of the test rows that it labels rightly.</param>
internal sealed record FittedSide(ITransformer Model, double FitSeconds, double Accuracy) : IDisposable
{
    /// <summary>Fits a trainer and scores the test rows.</summary>
    public static FittedSide Fit(MLContext ml, IEstimator<ITransformer> trainer, TextRow[] train, TextRow[] test)
    {
        var pipeline = TextPipeline.Around(ml, trainer);
        var table = ml.Data.LoadFromEnumerable(train);
        var watch = Stopwatch.StartNew();
        var model = pipeline.Fit(table);
        var seconds = watch.Elapsed.TotalSeconds;
        var predicted = model.Transform(ml.Data.LoadFromEnumerable(test)).GetColumn<string>(nameof(TextPrediction.PredictedLabel));
        var right = predicted.Zip(test).Count(pair => pair.First == pair.Second.Label);
        return new FittedSide(model, seconds, (double)right / test.Length);
    }

    public void Dispose() => (Model as IDisposable)?.Dispose();
}
