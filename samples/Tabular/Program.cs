// From the declaration of a method, tell how long its code is: the logarithm of its bytes.
using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe;
using Microsoft.ML.Runtime;
using Samples;

var ml = new MLContext(seed: 1);
ml.Log += (_, message) =>
{
    if (message.Kind != ChannelMessageKind.Trace && message.Source.Contains("Moe", StringComparison.Ordinal))
        Console.WriteLine(message.RawMessage); // one line for each stage and epoch
};

// Load: a table with categories, numbers, and the label.
var file = DotNetMethods.Write(Path.Combine(AppContext.BaseDirectory, "methods.csv"), count: 16_000);
var data = ml.Data.LoadFromTextFile<Method>(file, separatorChar: ',', hasHeader: true);
var split = ml.Data.TrainTestSplit(data, testFraction: 0.2);

// Pipeline: categories as indicators, all features in one vector, and the trainer. Nothing needs scaling.
var pipeline = ml.Transforms.Categorical.OneHotEncoding([new("Library"), new("Access"), new("Returns")])
    .Append(ml.Transforms.Concatenate(
        "Features", "Library", "Access", "Returns", "Parameters", "References", "NameLength", "Static", "Virtual", "Generic", "Siblings"))
    .Append(ml.Regression.Trainers.MoeRegressor(new MoeRegressionTrainer.Options
    {
        LabelColumnName = "LogBytes",
        SpreadColumnName = "Spread", // how much the members of the ensemble differ about a row
        MaxEpochs = args.Contains("--quick") ? 2 : null,
    }));

// Train, and evaluate.
var clock = Stopwatch.StartNew();
var model = pipeline.Fit(split.TrainSet);
clock.Stop();
var metrics = ml.Regression.Evaluate(model.Transform(split.TestSet), labelColumnName: "LogBytes");
Console.WriteLine($"Test RMSE: {metrics.RootMeanSquaredError:0.000} doublings, R²: {metrics.RSquared:0.000}");
Console.WriteLine($"Fit seconds: {clock.Elapsed.TotalSeconds:0}");

// What does the model need? By how much the error grows when a column's values are exchanged between rows.
foreach (var column in ml.Regression.GetFeatureImportance(model, split.TestSet, labelColumnName: "LogBytes"))
    Console.WriteLine($"{column.Column}: {column.Increase:+0.000;-0.000}");

// Save, and load as any program would that has only the file.
var path = Path.Combine(AppContext.BaseDirectory, "methods.zip");
ml.Model.Save(model, data.Schema, path);
var loaded = ml.Model.Load(path, out _);
Console.WriteLine($"Model: {path}");

// Predict.
using var engine = ml.Model.CreatePredictionEngine<Method, Prediction>(loaded);
var prediction = engine.Predict(new Method
{
    Library = "System.Linq", Access = "public", Returns = "Boolean", Parameters = 2, NameLength = 3, Static = 1, Generic = 1, Siblings = 200,
});
Console.WriteLine($"→ {Math.Pow(2, prediction.Score):0} bytes; the members differ by {prediction.Spread:0.0} doublings");

/// <summary>A row of the table.</summary>
internal sealed class Method
{
    [LoadColumn(0)] public string Library { get; set; } = "";
    [LoadColumn(1)] public string Access { get; set; } = "";
    [LoadColumn(2)] public string Returns { get; set; } = "";
    [LoadColumn(3)] public float Parameters { get; set; }
    [LoadColumn(4)] public float References { get; set; }
    [LoadColumn(5)] public float NameLength { get; set; }
    [LoadColumn(6)] public float Static { get; set; }
    [LoadColumn(7)] public float Virtual { get; set; }
    [LoadColumn(8)] public float Generic { get; set; }
    [LoadColumn(9)] public float Siblings { get; set; }
    [LoadColumn(10)] public float LogBytes { get; set; }
}

/// <summary>What the model says about a row.</summary>
internal sealed class Prediction
{
    public float Score { get; set; }
    public float Spread { get; set; }
}
