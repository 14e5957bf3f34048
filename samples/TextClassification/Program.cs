using Microsoft.ML;
using Microsoft.ML.Moe;
using Samples;
using TextClassification;

return CommandLine.Run(args, Classify);

static void Classify(Arguments arguments)
{
    arguments.PrepareOutput();
    var ml = new MLContext(arguments.Seed);
    Terminal.ShowMessages(ml);

    // Data: a table for training, one for validation if there is one, and one for testing, with the columns Label and Text.
    var tables = Tables.Load(ml, arguments);
    Display.ShowSizes(ml, tables);

    // Pipeline: labels to keys, the trainer, keys back to labels.
    using var training = new LiveTraining();
    var options = new MoeTextClassificationTrainer.Options
    {
        LabelColumnName = "Label",
        Sentence1ColumnName = "Text",
        ValidationSet = tables.Validation,
        EpochCompleted = training.OnEpoch,
        StopToken = training.StopToken,
    };
    arguments.ApplyTo(options);
    var pipeline = ml.Transforms.Conversion.MapValueToKey("Label")
        .Append(ml.MulticlassClassification.Trainers.MoeTextClassifier(options))
        .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));

    // Train.
    var model = training.Run(() => pipeline.Fit(tables.Train));

    // Evaluate on rows that the trainer has not seen.
    var predictions = model.Transform(tables.Test);
    Terminal.ShowMetrics(ml.MulticlassClassification.Evaluate(predictions), predictions.Schema["Label"]);
    Terminal.ShowFitTime(training.Elapsed);

    // Save, and load as any program would that has only the file. As ml.Model.Save, but an older file stays if the disk is full.
    ml.Model.SaveAtomically(model, tables.Train.Schema, arguments.Model);
    var loaded = ml.Model.Load(arguments.Model, out _);

    // Look at the routers, and try others on the trained model.
    var classifier = model.OfType<MoeTextClassificationTransformer>().Single();
    if (arguments.Report is not null)
    {
        var report = classifier.ReportRouting(tables.Test);
        Console.WriteLine(report.ToText());
        report.SaveHtml(arguments.Report);
    }

    if (arguments.CompareRouting)
        Console.WriteLine(classifier.CompareRouting(tables.Test, OtherRouters.Of(classifier.Router)).ToText());

    // Predict.
    using var engine = ml.Model.CreatePredictionEngine<Example, Prediction>(loaded);
    foreach (var example in tables.Examples)
        Display.ShowPrediction(example, engine.Predict(example));
    Display.ShowFiles(tables, arguments);
}
