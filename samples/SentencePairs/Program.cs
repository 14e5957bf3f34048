// Do two sentences of the .NET documentation, what a method does and what a method returns, belong to the same method?
using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Runtime;
using Samples;

var ml = new MLContext(seed: 1);
ml.Log += (_, message) =>
{
    if (message.Kind != ChannelMessageKind.Trace && message.Source.Contains("Moe", StringComparison.Ordinal))
        Console.WriteLine(message.RawMessage); // one line for each epoch
};

// Load: three tab-separated files with the columns Label, Sentence1 and Sentence2.
var files = DotNetDocs.Pairs();
var train = ml.Data.LoadFromTextFile<Pair>(files.Train, hasHeader: true);
var validation = ml.Data.LoadFromTextFile<Pair>(files.Validation, hasHeader: true);
var test = ml.Data.LoadFromTextFile<Pair>(files.Test, hasHeader: true);

// Pipeline: labels to keys, the trainer with two columns of text, and keys back to labels.
var pipeline = ml.Transforms.Conversion.MapValueToKey("Label")
    .Append(ml.MulticlassClassification.Trainers.MoeTextClassifier(sentence2ColumnName: "Sentence2", validationSet: validation))
    .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));

// Train, and evaluate on methods of types that the trainer has not seen.
var clock = Stopwatch.StartNew();
var model = pipeline.Fit(train);
clock.Stop();
var metrics = ml.MulticlassClassification.Evaluate(model.Transform(test));
Console.WriteLine($"Test accuracy: {metrics.MicroAccuracy * 100:0.0} %");
Console.WriteLine($"Log-loss: {metrics.LogLoss:0.000}");
Console.WriteLine($"Fit seconds: {clock.Elapsed.TotalSeconds:0}");

// Save, and load as any program would that has only the file.
var path = Path.Combine(AppContext.BaseDirectory, "pairs.zip");
ml.Model.Save(model, train.Schema, path);
var loaded = ml.Model.Load(path, out _);
Console.WriteLine($"Model: {path}");

// Predict. The engine would dispose the model with itself, but the model is still needed below.
var keep = new PredictionEngineOptions { OwnsTransformer = false };
using (var engine = ml.Model.CreatePredictionEngine<Pair, Prediction>(loaded, keep))
{
    foreach (var pair in ml.Data.CreateEnumerable<Pair>(test, reuseRowObject: false).Take(3))
    {
        var prediction = engine.Predict(pair);
        Console.WriteLine($"{pair.Sentence1}\n{pair.Sentence2}");
        Console.WriteLine($"  → {prediction.PredictedLabel} ({prediction.Score.Max() * 100:0} %), in truth {pair.Label}");
    }
}

// Reach the Mixture-of-Experts model inside the loaded chain: try a router with half the work, without training.
using var classifier = ((IEnumerable<ITransformer>)loaded).OfType<MoeTextClassificationTransformer>().Single();
foreach (var compared in classifier.CompareRouting(test, [classifier.Router, Router.Unified(1)]))
    Console.WriteLine($"{compared.Router}: accuracy {compared.Accuracy * 100:0.0} %, {compared.MillisecondsPerRow:0.00} ms a row");

/// <summary>A row of the files.</summary>
internal sealed class Pair
{
    [LoadColumn(0)]
    public string Label { get; set; } = "";

    [LoadColumn(1)]
    public string Sentence1 { get; set; } = "";

    [LoadColumn(2)]
    public string Sentence2 { get; set; } = "";
}

/// <summary>What the model says about a pair; <c>Score</c> holds the probability of each label.</summary>
internal sealed class Prediction
{
    public string PredictedLabel { get; set; } = "";

    public float[] Score { get; set; } = [];
}
