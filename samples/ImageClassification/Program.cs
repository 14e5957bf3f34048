// From an image of 8 × 8 pixels, tell which digit was written.
using System.Diagnostics;
using System.IO.Compression;
using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

var ml = new MLContext(seed: 1);
ml.Log += (_, message) =>
{
    if (message.Kind != ChannelMessageKind.Trace && message.Source.Contains("Moe", StringComparison.Ordinal))
        Console.WriteLine(message.RawMessage); // one line for each epoch
};

// Unpack the images that come with this sample: 64 numbers in a line, and the digit (see digits.md).
var csv = Path.Combine(AppContext.BaseDirectory, "digits.csv");
using (var packed = Assembly.GetExecutingAssembly().GetManifestResourceStream("digits.csv.gz")!)
using (var unpacked = new GZipStream(packed, CompressionMode.Decompress))
using (var file = File.Create(csv))
    unpacked.CopyTo(file);

// Load, and hold out a fifth for testing. Image files would be loaded from a column of paths by
// ml.Transforms.LoadRawImageBytes("Pixels", imageFolder: "photos", "Path"), as the first step of the pipeline.
var digits = ml.Data.TrainTestSplit(ml.Data.LoadFromTextFile<Digit>(csv, separatorChar: ','), testFraction: 0.2, seed: 1);

// Pipeline: labels to keys, the trainer, and keys back to labels.
var pipeline = ml.Transforms.Conversion.MapValueToKey("Label")
    .Append(ml.MulticlassClassification.Trainers.MoeImageClassifier(featureColumnName: "Pixels"))
    .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));

// Train.
var clock = Stopwatch.StartNew();
var model = pipeline.Fit(digits.TrainSet);
clock.Stop();

// Evaluate on images that the trainer has not seen.
var metrics = ml.MulticlassClassification.Evaluate(model.Transform(digits.TestSet));
Console.WriteLine($"Test accuracy: {metrics.MicroAccuracy * 100:0.0} %");
Console.WriteLine($"Mean accuracy of the classes: {metrics.MacroAccuracy * 100:0.0} %");
Console.WriteLine($"Log-loss: {metrics.LogLoss:0.000}");
Console.WriteLine($"Fit seconds: {clock.Elapsed.TotalSeconds:0}");

// Save, and load as any program would that has only the file.
var path = Path.Combine(AppContext.BaseDirectory, "digits.zip");
ml.Model.Save(model, digits.TrainSet.Schema, path);
var loaded = ml.Model.Load(path, out _);
Console.WriteLine($"Model: {path}");

// Predict.
using var engine = ml.Model.CreatePredictionEngine<Digit, Prediction>(loaded);
foreach (var digit in ml.Data.CreateEnumerable<Digit>(digits.TestSet, reuseRowObject: false).Take(3))
{
    var prediction = engine.Predict(digit);
    foreach (var row in digit.Pixels.Chunk(8))
        Console.WriteLine("  " + string.Concat(row.Select(ink => new string(" .:-=+*#%@"[(int)(ink / 16 * 9)], 2))).TrimEnd());
    Console.WriteLine($"  → {prediction.PredictedLabel} ({prediction.Score.Max() * 100:0} %), in truth {digit.Label}");
}

/// <summary>A row of the file: ink from 0 to 16, row by row, and the digit.</summary>
internal sealed class Digit
{
    [LoadColumn(0, 63), VectorType(64)]
    public float[] Pixels { get; set; } = [];

    [LoadColumn(64)]
    public string Label { get; set; } = "";
}

/// <summary>What the model says about an image; <c>Score</c> holds the probability of each digit.</summary>
internal sealed class Prediction
{
    public string PredictedLabel { get; set; } = "";

    public float[] Score { get; set; } = [];
}
