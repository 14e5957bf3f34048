using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Trains a model that writes text: all of its weights, those that have a learning rate, or adapters beside them. Of an encoder–decoder each row has a source and
/// what is to be written to it, of a causal model a text, of which the tokens from the first target on are learned. A batch's loss is the mean
/// cross-entropy of its learned tokens; in parts (<see cref="TrainingConfig.AccumulationSteps"/>), the mean of the parts' means, by
/// their rows.
/// </summary>
/// <remarks>
/// The weights of the model that it starts from are changed, not copied, unless adapters learn in their place; those that are frozen when
/// training begins stay so. A step needs the weights, and of those that learn their gradients and AdamW's two moments, those of the best epoch
/// besides where there are validation rows, and what one part of a batch takes to go backward.
/// On the managed engine all of it is in single precision; on TorchSharp's <c>TrainingPrecision</c> says what products are computed in.
/// </remarks>
public sealed class GeneratorTrainer : Trainer<EncodedText>
{
    private const int DefaultEpochs = 3;
    private readonly GeneratorTrainingConfig _config;
    private readonly Model<EncodedText> _start;
    private readonly ValidationMetric? _metric;

    /// <summary>Prepares training.</summary>
    /// <param name="config">How the model is trained.</param>
    /// <param name="start">The model. Its weights are what is trained.</param>
    /// <param name="metric">Measures its answers to the validation rows, to choose the best epoch; null chooses by the validation loss.</param>
    /// <exception cref="ArgumentException">The model writes no text, or values of the configuration contradict it or each other.</exception>
    public GeneratorTrainer(GeneratorTrainingConfig config, Model<EncodedText> start, ValidationMetric? metric = null)
        : base(Checked(config, start), start.Engine) => (_config, _start, _metric) = (config, start, metric);

    private bool IsEncoderDecoder => _start.Head is DecoderHead;

    private protected override Model<EncodedText> Learn(
        TrainingRows<EncodedText> rows, ITrainingObserver? observer, CancellationToken stop)
    {
        var start = _config.Adaptation is { } adaptation ? _start.WithAdapters(adaptation, Training.Seed) : _start;
        var model = new Model<EncodedText>(
            Engine, start.Config with { Encoder = Tuned(start.Config.Encoder) }, start.Input, new ParameterStore(start.Parameters));
        var frozen = model.Parameters.All.Where(p => p.Parameter.IsFrozen).Select(p => p.Parameter).ToHashSet();
        try
        {
            Learn(model, rows, observer, stop);
        }
        finally
        {
            foreach (var (parameter, _) in model.Parameters.All)
                parameter.IsFrozen = frozen.Contains(parameter);
        }

        return start;
    }

    private void Learn(Model<EncodedText> model, TrainingRows<EncodedText> rows, ITrainingObserver? observer, CancellationToken stop)
    {
        var rates = new GeneratorRates(_config, model);
        (Parameter Parameter, ParameterRole Role)[] trained = [.. model.Parameters.Trained];
        var isAdapted = model.Adaptation is not null;
        foreach (var (option, kind) in rates.WithoutEffect(trained))
            observer?.OnWarning($"{option} has no effect: {(isAdapted ? $"no adapters are beside {kind}" : $"the model has no {kind}")}.");
        using var optimizer = FineTuningOptimizer.Create(
            Engine,
            trained,
            rates.Of,
            _config.Beta1,
            _config.Beta2,
            _config.Epsilon,
            _config.SkipsIdleExperts);
        Parameter[] learning = [.. trained.Select(p => p.Parameter).Where(p => !p.IsFrozen)];
        if (learning.Length == 0)
        {
            throw new InvalidOperationException("There is nothing to learn: " + (isAdapted
                ? $"all adapters are beside routers or experts that stay as they are, by {nameof(Training.FreezeRouter)} or a learning rate of 0. "
                    + $"Let these learn, or adapt other {nameof(LowRankAdaptation.Layers)}."
                : "every weight is frozen, or in bfloat16 or int8. Load the model as float32, or train adapters beside it."));
        }

        var objective = new GeneratorObjective(model, model.Input.CreatePacker(model.Packing()), rows, _config, _metric);
        var identity = new TrainingIdentity(Engine, () => DigestOf(model, rows));
        var checkpoint = identity.Checkpoint(Training.CheckpointFile);
        var schedule = TrainingSchedule.From(Training, DefaultEpochs) with
        {
            Sizes =
            [
                new(nameof(Training.LearningRate), Training.LearningRate, 1e-4),
                new(nameof(_config.RouterLearningRate), _config.RouterLearningRate, 1e-4),
                new(nameof(_config.ExpertLearningRate), _config.ExpertLearningRate, 1e-4),
                new(nameof(_config.EmbeddingLearningRate), _config.EmbeddingLearningRate, 1e-4),
                new(nameof(Training.WeightDecay), Training.WeightDecay, 0.05),
                new(nameof(_config.LoadBalancingCoefficient), _config.LoadBalancingCoefficient, 1e-2),
                new(nameof(_config.RouterZLossCoefficient), _config.RouterZLossCoefficient, 1e-2),
            ],
        };
        new TrainingLoop(schedule, objective, optimizer, learning, identity, observer, checkpoint).Execute(stop);
    }

    private protected override void Check(Example<EncodedText> row, string parameter)
    {
        if (row.Input.Ids is not { SecondWindow: 0 } ids)
            throw new ArgumentException("A row was encoded by the input of another model.", parameter);
        var longest = ((PublishedConfig)_start.Config.Encoder).MaximumTokens;
        if (ids.Ids.Length > longest || ids.Targets?.Length > longest)
            throw new ArgumentException($"A row has over {longest} tokens, the most that the model reads: cut it.", parameter);
        var learns = IsEncoderDecoder ? ids.Targets?.Any(id => id != TokenIds.NotCounted) == true : ids.FirstTarget < ids.Ids.Length;
        if (!learns)
            throw new ArgumentException(IsEncoderDecoder
                ? "A row has nothing that is to be written to it."
                : "A row has no token after its prompt: there is nothing to learn of it.", parameter);
    }

    private EncoderConfig Tuned(EncoderConfig encoder)
    {
        encoder = encoder with
        {
            LoadBalancingCoefficient = _config.LoadBalancingCoefficient ?? encoder.LoadBalancingCoefficient,
            RouterZLossCoefficient = _config.RouterZLossCoefficient ?? encoder.RouterZLossCoefficient,
        };
        return _config.Dropout is { } rate && encoder is PublishedConfig published
            ? published with { Dropout = rate, AttentionDropout = rate }
            : encoder;
    }

    private string DigestOf(Model<EncodedText> model, TrainingRows<EncodedText> rows)
    {
        using var digest = new TrainingDigest();
        digest.AddJson(_config).AddJson(model.Config.Encoder).AddJson((object)model.Config.Input);
        digest.AddValues(model.Parameters.All.Select(p => p.Parameter));
        digest.AddRows(model.Input, rows.Training).AddRows(model.Input, rows.Validation);
        _metric?.AddTo(digest);
        return digest.ToString();
    }

    private static TrainingConfig Checked(GeneratorTrainingConfig config, Model<EncodedText> start)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(start);
        if (start.Head is not (NextTokenHead or DecoderHead))
            throw new ArgumentException("The model writes no text.", nameof(start));
        var training = config.Training;
        OptionCheck.Range(training.AccumulationSteps, 1, training.BatchSize, nameof(training.AccumulationSteps));
        if (config.Adaptation is not null && start.Adaptation is not null)
        {
            throw new ArgumentException(
                $"The model has adapters already: leave {nameof(config.Adaptation)} null to train these, or merge them first.", nameof(config));
        }

        if (training.GlobalWorkspace is { } workspace)
        {
            if (start.Experts == 0)
                throw new ArgumentException(
                    $"{nameof(training.GlobalWorkspace)} sends tokens to all experts, but the model has none: leave it null.", nameof(config));
            workspace.Check(start.Experts, start.Config.MoeBlocks);
        }

        return training;
    }
}
