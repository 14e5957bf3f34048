using System.Globalization;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>The <c>Fit</c> of a trainer that fine-tunes a model that writes text: loads the model, reads the tables, and trains.</summary>
/// <param name="run">The training.</param>
/// <param name="options">Model, columns and training.</param>
internal sealed class GeneratorFit(FitRun run, MoeGeneratorOptions options)
{
    /// <summary>Whether an encoder–decoder is wanted, and the trainer for the other kind; null for either kind.</summary>
    public (bool EncoderDecoder, string Otherwise)? Wanted { get; init; }

    /// <summary>Trains a model that writes into a column.</summary>
    /// <param name="input">Training rows.</param>
    /// <param name="writing">The options once more, with what is written.</param>
    /// <param name="target">Column of what is to be written; null where the prompts' texts are learned themselves.</param>
    public MoeTextGenerationTransformer Write(IDataView input, MoeTextGeneratorOptions writing, string? target)
    {
        var prompt = options.ToPrompt();
        RowWriter? writer = null;
        return Execute(
            input,
            schema => TaughtTexts.Of(schema, prompt, target),
            isPlain: target is null,
            task =>
            {
                if (writing.RouterEntropyColumnName is not null)
                    task.Model.Config.Encoder.CheckRoutes();
                writer = new RowWriter(task.Generator, task.Generation, options.ScoringBatchSize, prompt.Windows?.Answer ?? default);
            },
            (_, validation) => writing.Metric == TextMetric.Loss ? null : new WrittenTextMetric(writing.Metric, validation, writer!),
            (task, shared) => MoeTextGenerationTransformer.Create(
                shared,
                task.Generator,
                writer!,
                new GeneratorSettings(
                    writing.Columns, task.MaximumPromptTokens, options.PrecisionAfterwards, options.SourceOfWeights, prompt)));
    }

    /// <summary>Trains a model.</summary>
    /// <typeparam name="TTransformer">What scores with it.</typeparam>
    /// <param name="input">Training rows.</param>
    /// <param name="columnsOf">Finds the columns of training or validation rows.</param>
    /// <param name="isPlain">Whether texts themselves are learned, without prompts.</param>
    /// <param name="prepare">Checks and prepares what depends on the model, before rows are read.</param>
    /// <param name="metricOf">What chooses the best epoch in place of the loss, of the validation rows; null for none.</param>
    /// <param name="finish">Makes the transformer, which owns the model from then on.</param>
    public TTransformer Execute<TTransformer>(
        IDataView input,
        Func<NamedSchema, TaughtColumns> columnsOf,
        bool isPlain,
        Action<GeneratorTask> prepare,
        Func<GeneratorTask, IReadOnlyList<TaughtRow>, ValidationMetric?> metricOf,
        Func<GeneratorTask, SharedModel<Model<EncodedText>>, TTransformer> finish)
    {
        // before the model is loaded
        var columns = columnsOf(options.ColumnsOf(input));
        var ofValidation = options.ValidationSet is { } set ? columnsOf(new NamedSchema(set.Schema, TableName.ValidationSet)) : null;
        GeneratorTask? task = null;
        return run.Run<EncodedText, TTransformer>(
            shared => finish(task!, shared),
            engine =>
            {
                var (generator, model) = Load(engine);
                task = GeneratorTask.Of(generator, model, options, isPlain);
                prepare(task);
                var training = Read(engine, task, input, columns, "training", options.TrainingSet);
                IReadOnlyList<Example<TaughtRow>> validation = [];
                if (ofValidation is not null)
                    validation = Read(engine, task, options.ValidationSet!, ofValidation, "validation", TableName.ValidationSet);
                else if (options.ValidationShare > 0)
                    (training, validation) = StratifiedSplit.Of(training, options.ValidationShare, new Random(options.Seed ?? 0));
                var rows = Examples(training);
                run.Channel.Info(MessageSensitivity.None, string.Create(
                    CultureInfo.InvariantCulture,
                    $"Training {options.Model} of {model.ParameterCount:N0} parameters on {training.Count} rows, engine: "
                    + $"{engine.Description}."));
                var metric = metricOf(task, [.. EvenSample.Of(validation, options.MetricRows).Select(row => row.Input)]);
                var config = options.ToGeneratorConfig();
                // rows are held out here, whole ones
                var trainer = new GeneratorTrainer(config with { Training = config.Training with { ValidationShare = 0f } }, model, metric);
                return observer =>
                {
                    var trained = trainer.Train(rows, Examples(validation), observer, options.StopToken);
                    return trained.Adaptation is not null && options.MergesAdapters ? trained.Merged() : trained;
                };
            });
    }

    private static Example<EncodedText>[] Examples(IReadOnlyList<Example<TaughtRow>> rows) =>
        [.. rows.SelectMany(row => row.Input.Learned.Select(learned => new Example<EncodedText>(learned, row.Target)))];

    private (TextGenerator Generator, Model<EncodedText> Model) Load(Engine engine)
    {
        var source = options.Model!;
        if (Wanted is var (wanted, otherwise)
            && PublishedFolder.Open(source.ResolveFolder()).Encoder is { WritingHead: not null } encoder
            && encoder.IsEncoderDecoder != wanted)
        {
            throw new InvalidOperationException(
                $"{source.Name} is {encoder.Architecture}, {(wanted ? "a causal model" : "an encoder–decoder")}: train it with {otherwise}.");
        }

        var (generator, model) = TextGenerator.Load(engine, source, options.PrecisionOfWeights);
        return (generator, options.Router is { } router ? model.WithRouting(router) : model);
    }

    private IReadOnlyList<Example<TaughtRow>> Read(
        Engine engine, GeneratorTask task, IDataView data, TaughtColumns columns, string which, TableName name)
    {
        var table = TaughtTable.Read(
            run.CheckGoesOn, engine, data, columns.All, row => columns.CreateReader(row, task.Prompts, task.Targets));
        table.Log(
            run.Channel,
            which,
            columns.TargetName,
            options.LongestSource with { Value = task.MaximumPromptTokens },
            options.LongestTarget with { Value = task.MaximumTargetTokens });
        columns.CheckInformation(table, name);
        return table.Rows;
    }
}

/// <summary>What a trainer of models that write text has made of its options and the model's files.</summary>
/// <param name="Generator">Tokenizer and defaults.</param>
/// <param name="Model">The model, before its training.</param>
/// <param name="Prompts">Makes prompts of rows.</param>
/// <param name="Targets">Makes ids of what is to be written.</param>
/// <param name="Generation">How the model will write; complete.</param>
/// <param name="EndToken">What targets end with; null where the tokenizer adds it.</param>
/// <param name="MaximumPromptTokens">Longest prompt, special tokens counted.</param>
/// <param name="MaximumTargetTokens">Longest target, the end token counted.</param>
internal sealed record GeneratorTask(
    TextGenerator Generator,
    Model<EncodedText> Model,
    PromptEncoder Prompts,
    TargetEncoder Targets,
    GenerationOptions Generation,
    int? EndToken,
    int MaximumPromptTokens,
    int MaximumTargetTokens)
{
    /// <summary>Makes it, for a model that reads prompts and targets together only so far as it has positions.</summary>
    /// <param name="generator">Tokenizer and defaults.</param>
    /// <param name="model">The model.</param>
    /// <param name="options">What was asked for.</param>
    /// <param name="isPlain">Whether texts themselves are learned, without prompts.</param>
    public static GeneratorTask Of(TextGenerator generator, Model<EncodedText> model, MoeGeneratorOptions options, bool isPlain)
    {
        var positions = ((PublishedConfig)model.Config.Encoder).MaximumTokens;
        var target = Math.Min(options.LongestTarget.Value, generator.IsEncoderDecoder ? positions : Math.Max(1, positions / 2));
        var source = Math.Min(options.LongestSource.Value, generator.IsEncoderDecoder ? positions : positions - target);
        var settings = options.ToPrompt();
        var generation = options is MoeTextGeneratorOptions { Generation: { } asked }
            ? generator.Complete(asked)
            : generator.Defaults with { MaximumNewTokens = target };
        var end = TargetEncoder.EndTokenOf(generator, settings.ChatOf(generator), generation);
        if (end is { } token && !generation.EndTokens.Contains(token))
            generation = generation with { EndTokens = [.. generation.EndTokens, token] };
        return new GeneratorTask(
            generator,
            model,
            settings.CreateEncoder(generator, source),
            new TargetEncoder(generator, isPlain ? Math.Min(options.LongestSource.Value, positions) : target, end),
            generation,
            end,
            source,
            target);
    }
}
