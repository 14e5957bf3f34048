using ImageClassification;
using Microsoft.ML;
using Microsoft.ML.Moe;
using Samples;

return CommandLine.Run(args, arguments =>
{
    if (arguments.Data is null)
        Classify(arguments, Digits.Load(arguments.Seed));
    else
        Classify(arguments, ImageFiles.Load(arguments.Data, arguments.Test, arguments.Seed));
});

static void Classify<TExample>(Arguments arguments, Examples<TExample> examples)
    where TExample : Example
{
    arguments.PrepareOutput();
    var ml = new MLContext(arguments.Seed);
    Terminal.ShowMessages(ml);
    Display.ShowSizes(examples);

    // Data: a table for training and one for testing, with the columns Label and Features. Files are read as the rows are.
    var train = ml.Data.LoadFromEnumerable(examples.Train);
    var test = ml.Data.LoadFromEnumerable(examples.Test);

    // Pipeline: labels to keys, the trainer, keys back to labels.
    using var training = new LiveTraining();
    var options = new MoeImageClassificationTrainer.Options
    {
        LabelColumnName = "Label",
        FeatureColumnName = "Features",
        EpochCompleted = training.OnEpoch,
        StopToken = training.StopToken,
    };
    arguments.ApplyTo(options);
    var pipeline = ml.Transforms.Conversion.MapValueToKey("Label")
        .Append(ml.MulticlassClassification.Trainers.MoeImageClassifier(options))
        .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));

    // Train.
    var model = training.Run(() => pipeline.Fit(train));

    // Evaluate on images that the trainer has not seen.
    var predictions = model.Transform(test);
    var metrics = ml.MulticlassClassification.Evaluate(predictions);
    Terminal.ShowMetrics(metrics, predictions.Schema["Label"]);
    Display.ShowConfusions(metrics, predictions.Schema["Label"]);
    Terminal.ShowFitTime(training.Elapsed);

    // Save, and load as any program would that has only the file. As ml.Model.Save, but an older file stays if the disk is full.
    ml.Model.SaveAtomically(model, train.Schema, arguments.Model);
    var loaded = ml.Model.Load(arguments.Model, out _);

    // Predict.
    using var engine = ml.Model.CreatePredictionEngine<TExample, Prediction>(loaded);
    foreach (var example in examples.Test.Take(3))
        Display.ShowPrediction(example, engine.Predict(example));
    Terminal.Line();
    Terminal.Line($"Model: {arguments.Model}");
}
