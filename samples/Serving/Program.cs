// Serve a model over HTTP: POST /score answers, POST /reload takes up a new file, GET /health tells whether all is well.
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Serving;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using Samples;

// The model: a zip of one's own, or one that is trained here in a moment.
var path = Environment.GetEnvironmentVariable("MODEL") ?? Path.Combine(AppContext.BaseDirectory, "served.zip");
if (!File.Exists(path))
    Train(path);

// One model for all requests. Before it serves it scores this sentence, so that nobody waits for compilation.
await using var scorer = new MoeScorer<Sentence, Prediction>(path, new MoeScorerOptions<Sentence>
{
    MaximumBatch = 32,
    MaximumDelay = TimeSpan.FromMilliseconds(1),
    WarmUpRows = [new Sentence { Text = "Blocks the caller until the semaphore is released." }],
});

var builder = WebApplication.CreateBuilder(args);
builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Information);
builder.Services.AddHealthChecks().AddCheck("model", () => scorer.Fault is { } fault
    ? HealthCheckResult.Degraded(fault) // the model from before serves on
    : HealthCheckResult.Healthy($"loaded {scorer.LoadedAt:u}"));
builder.Services.AddOpenTelemetry() // to the console here; other exporters send it where you look
    .WithMetrics(metrics => metrics.AddMeter(MoeScorerTelemetry.MeterName).AddConsoleExporter())
    .WithTracing(traces =>
    {
        traces.AddSource(MoeScorerTelemetry.ActivitySourceName);
        if (Environment.GetEnvironmentVariable("TRACE") is not null)
            traces.AddConsoleExporter(); // one for each batch
    });

var app = builder.Build();
app.MapHealthChecks("/health");
app.MapPost("/score", async (Request request, CancellationToken cancellation) =>
{
    var prediction = await scorer.ScoreAsync(new Sentence { Text = request.Text }, cancellation);
    return new Answer(prediction.PredictedLabel, prediction.Score.Max());
});
app.MapPost("/reload", async (CancellationToken cancellation) => // keep this one from the public
{
    await scorer.SwapAsync(path, cancellation);
    return Results.Ok(scorer.LoadedAt);
});
app.Lifetime.ApplicationStopped.Register(() => scorer.DisposeAsync().AsTask().Wait()); // what it measured last is exported after that
await app.RunAsync();

static void Train(string path)
{
    var ml = new MLContext(seed: 1);
    var model = ml.Transforms.Conversion.MapValueToKey("Label")
        .Append(ml.MulticlassClassification.Trainers.MoeTextClassifier(sentence1ColumnName: "Text", maxEpochs: 3))
        .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"))
        .Fit(ml.Data.LoadFromTextFile<Sentence>(DotNetDocs.Sentences(share: 0.1).Train, hasHeader: true));
    ml.Model.SaveAtomically(model, null, path);
}

internal sealed record Request(string Text);
internal sealed record Answer(string Label, float Probability);

internal sealed class Sentence
{
    [LoadColumn(0)] public string Label { get; set; } = "";
    [LoadColumn(1)] public string Text { get; set; } = "";
}

internal sealed class Prediction
{
    public string PredictedLabel { get; set; } = "";
    public float[] Score { get; set; } = [];
}
