using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Evaluation;
using MoeTool.Data;
using MoeTool.Settings;

namespace MoeTool.Commands;

/// <summary>Fine-tunes a model that writes text, tests it and saves it.</summary>
/// <param name="console">Where to.</param>
/// <param name="ml">Trains.</param>
/// <param name="settings">What the command line says.</param>
internal sealed class GeneratorRun(ToolConsole console, MLContext ml, GeneratorTrainingSettings settings)
{
    /// <summary>Column that receives what is written.</summary>
    public const string Output = "Prediction";

    private const int Examples = 3;

    private MoeGeneratorOptions? _options;
    private IReadOnlyList<string> _inputs = [];
    private Tables? _tables;
    private string? _outFile;

    /// <summary>Loads the tables, and completes the options.</summary>
    /// <param name="options">Columns are set.</param>
    /// <param name="prompt">What is read of a row; null for one column.</param>
    /// <param name="source">That column, and the option that chooses it.</param>
    /// <param name="target">Column of what is to be written, and the option that chooses it; null for none.</param>
    /// <param name="optionOf">The option that chooses a column of the prompt; null where the prompt itself does.</param>
    public void Load(
        MoeGeneratorOptions options,
        PromptTemplate? prompt,
        (string Option, string Column) source,
        (string Option, string Column)? target,
        Func<string, string>? optionOf = null)
    {
        _options = options;
        _inputs = prompt?.Columns ?? [source.Column];
        var names = _inputs
            .Select(name => new SourceColumn(name, name, prompt is null ? source.Option : optionOf?.Invoke(name) ?? "--prompt"))
            .ToList();
        if (target is var (option, column))
            names.Add(new SourceColumn(column, column, option));
        if (names.CountBy(name => name.Source).FirstOrDefault(count => count.Value > 1) is { Key: { } twice })
            throw new UserException($"Column '{twice}' cannot be read and written.");
        _outFile = OutputFile.Prepare(settings.Out, "--out");
        var train = Read(settings.Train);
        var validation = settings.Validation is null ? null : Read(settings.Validation);
        if (settings.Test is not null)
        {
            _tables = new Tables(train, validation, Read(settings.Test));
        }
        else
        {
            var split = ml.Data.TrainTestSplit(train, testFraction: 0.2, seed: settings.Seed ?? 1);
            _tables = new Tables(split.TrainSet, validation, split.TestSet);
        }

        IDataView Read(string path)
        {
            var file = DelimitedFile.Open(path);
            var table = file.Load(ml, names);
            if (file.Ragged is { } ragged)
                console.Line("Warning: " + ragged);
            return table;
        }
    }

    /// <summary>Trains a model that writes, and compares what it writes with the targets.</summary>
    /// <param name="trainerOf">Makes the trainer, when the options are complete.</param>
    /// <param name="target">Column of the targets.</param>
    /// <param name="glue">A task of GLUE whose scores are told; null for exact match, F1 and ROUGE.</param>
    public void Write(Func<IEstimator<MoeTextGenerationTransformer>> trainerOf, string target, GlueTask? glue)
    {
        Fit(trainerOf, (model, test) =>
        {
            // written once, measured twice
            var written = ml.Data.Cache(model.Transform(test), [target, Output, .. _inputs]);
            ShowExamples(written, target);
            if (glue is { } task)
            {
                console.Line(TextEvaluation.Glue(written, task, Output, target).ToString());
                return;
            }

            ShowScores(console, written, target);
        });
    }

    /// <summary>Tells how much of what was written is right.</summary>
    /// <param name="console">Where to.</param>
    /// <param name="written">Rows with the column <see cref="Output"/>.</param>
    /// <param name="target">Column of the targets.</param>
    public static void ShowScores(ToolConsole console, IDataView written, string target)
    {
        var squad = TextEvaluation.Squad(written, Output, target);
        console.Line(FormattableString.Invariant($"Test exact match: {squad.ExactMatch:0.0} %"));
        console.Line(FormattableString.Invariant($"Test F1: {squad.F1:0.0} %"));
        console.Line(FormattableString.Invariant($"Test ROUGE-L: {TextEvaluation.Rouge(written, Output, target).RougeL.F1:0.0} %"));
    }

    /// <summary>Trains a model of plain texts, and measures how well it tells others.</summary>
    /// <param name="trainerOf">Makes the trainer, when the options are complete.</param>
    public void Measure(Func<IEstimator<MoeTextGenerationTransformer>> trainerOf) => Fit(trainerOf, (model, test) =>
    {
        var score = model.Evaluate(test);
        console.Line(FormattableString.Invariant($"Test bits per character: {score.BitsPerCharacter:0.0000}"));
        console.Line(FormattableString.Invariant($"Test perplexity: {score.Perplexity:0.0000}"));
    });

    /// <summary>Trains a classifier, and tests it.</summary>
    /// <param name="trainerOf">Makes the trainer, when the options are complete.</param>
    /// <param name="label">Column of the labels.</param>
    public void Classify(Func<IEstimator<ITransformer>> trainerOf, string label)
    {
        var labels = Predictions.CountBy(_tables!.Test, label);
        Fit<ITransformer>(
            () => ml.Transforms.Conversion.MapValueToKey(label)
                .Append(trainerOf())
                .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel")),
            (model, test) =>
            {
                var result = TestResult.Of(ml, model.Transform(test), label, labels, isWritten: true);
                result.ShowDetails(console);
                result.ShowTotals(console);
            });
    }

    private void Fit<TModel>(Func<IEstimator<TModel>> trainerOf, Action<TModel, IDataView> test)
        where TModel : class, ITransformer
    {
        console.ShowMessages(ml);
        using var training = new LiveTraining(console);
        var (options, tables) = (_options!, _tables!);
        options.ValidationSet = tables.Validation;
        training.Follow(options);
        settings.ApplyTo(options);
        options.Validate();
        var model = training.Run(() => trainerOf().Fit(tables.Train));
        using var disposal = model as IDisposable;
        if (_outFile is not null)
            ml.Model.SaveAtomically(model, tables.Train.Schema, _outFile);
        console.Line(_outFile is null ? "The model was not kept: --out FILE says where it goes." : $"Model: {_outFile}");
        test(model, tables.Test);
        console.Line($"Fit seconds: {training.Elapsed.TotalSeconds:0}");
    }

    private void ShowExamples(IDataView written, string target)
    {
        var read = _inputs.Select(name => written.GetColumn<string>(name).Take(Examples).ToList()).ToList();
        foreach (var (row, (truth, text)) in written.GetColumn<string>(target).Zip(written.GetColumn<string>(Output)).Take(Examples).Index())
        {
            foreach (var column in read)
                console.Line(column[row].Length <= 120 ? column[row] : column[row][..119] + "…");
            console.Line($"  → {text}{(truth == text ? "" : $", in truth {truth}")}");
        }
    }
}
