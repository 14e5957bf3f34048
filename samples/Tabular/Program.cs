// From the sex and the measures of a sea snail, tell the rings of its shell, which grow with its age.
using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe;
using Microsoft.ML.Runtime;

var ml = new MLContext(seed: 1);
ml.Log += (_, message) =>
{
    if (message.Kind != ChannelMessageKind.Trace && message.Source.Contains("Moe", StringComparison.Ordinal))
        Console.WriteLine(message.RawMessage); // one line for each stage and epoch
};

// Load: a table with a category, seven numbers, and the label.
var data = ml.Data.LoadFromTextFile<Abalone>(Path.Combine(AppContext.BaseDirectory, "abalone.csv"), separatorChar: ',', hasHeader: true);
var split = ml.Data.TrainTestSplit(data, testFraction: 0.2);

// Pipeline: the category as indicators, all features in one vector, and the trainer. Nothing needs scaling.
var pipeline = ml.Transforms.Categorical.OneHotEncoding("Sex")
    .Append(ml.Transforms.Concatenate(
        "Features", "Sex", "Length", "Diameter", "Height", "WholeWeight", "ShuckedWeight", "VisceraWeight", "ShellWeight"))
    .Append(ml.Regression.Trainers.MoeRegressor(new MoeRegressionTrainer.Options
    {
        LabelColumnName = "Rings",
        SpreadColumnName = "Spread", // how much the members of the ensemble differ about a row
        MaxEpochs = args.Contains("--quick") ? 2 : null,
    }));

// Train, and evaluate.
var clock = Stopwatch.StartNew();
var model = pipeline.Fit(split.TrainSet);
clock.Stop();
var metrics = ml.Regression.Evaluate(model.Transform(split.TestSet), labelColumnName: "Rings");
Console.WriteLine($"Test RMSE: {metrics.RootMeanSquaredError:0.000} rings, R²: {metrics.RSquared:0.000}");
Console.WriteLine($"Fit seconds: {clock.Elapsed.TotalSeconds:0}");

// What does the model need? By how much the error grows when a column's values are exchanged between rows.
foreach (var column in ml.Regression.GetFeatureImportance(model, split.TestSet, labelColumnName: "Rings"))
    Console.WriteLine($"{column.Column}: {column.Increase:+0.000;-0.000}");

// Save, and load as any program would that has only the file.
var path = Path.Combine(AppContext.BaseDirectory, "abalone.zip");
ml.Model.Save(model, data.Schema, path);
var loaded = ml.Model.Load(path, out _);
Console.WriteLine($"Model: {path}");

// Predict.
using var engine = ml.Model.CreatePredictionEngine<Abalone, Prediction>(loaded);
var snail = new Abalone
{
    Sex = "M", Length = 0.455f, Diameter = 0.365f, Height = 0.095f,
    WholeWeight = 0.514f, ShuckedWeight = 0.2245f, VisceraWeight = 0.101f, ShellWeight = 0.15f,
};
var prediction = engine.Predict(snail);
Console.WriteLine($"→ {prediction.Score:0.0} rings ± {prediction.Spread:0.0}");

/// <summary>A row of the table.</summary>
internal sealed class Abalone
{
    [LoadColumn(0)] public string Sex { get; set; } = "";
    [LoadColumn(1)] public float Length { get; set; }
    [LoadColumn(2)] public float Diameter { get; set; }
    [LoadColumn(3)] public float Height { get; set; }
    [LoadColumn(4)] public float WholeWeight { get; set; }
    [LoadColumn(5)] public float ShuckedWeight { get; set; }
    [LoadColumn(6)] public float VisceraWeight { get; set; }
    [LoadColumn(7)] public float ShellWeight { get; set; }
    [LoadColumn(8)] public float Rings { get; set; }
}

/// <summary>What the model says about a row.</summary>
internal sealed class Prediction
{
    public float Score { get; set; }
    public float Spread { get; set; }
}
