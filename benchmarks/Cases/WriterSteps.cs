using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>Training steps of a model that writes on one batch, as its trainer takes them.</summary>
internal sealed class WriterSteps : IDisposable
{
    private readonly GeneratorObjective _objective;
    private readonly Optimizer _optimizer;
    private readonly int[] _examples;

    /// <summary>Prepares them.</summary>
    /// <param name="model">The model, all of whose weights learn.</param>
    /// <param name="rows">The batch.</param>
    /// <param name="config">How it is trained.</param>
    public WriterSteps(Model<EncodedText> model, Example<EncodedText>[] rows, GeneratorTrainingConfig config)
    {
        (Model, Rows, Config) = (model, rows, config);
        _examples = [.. Enumerable.Range(0, rows.Length)];
        _objective = new GeneratorObjective(
            model, model.Input.CreatePacker(model.Packing()), new TrainingRows<EncodedText>(rows, [], IsDrawn: false), config, metric: null);
        _optimizer = FineTuningOptimizer.Create(
            model.Engine,
            model.Parameters.All,
            new GeneratorRates(config, model).Of,
            config.Beta1,
            config.Beta2,
            config.Epsilon,
            config.SkipsIdleExperts);
    }

    /// <summary>The model.</summary>
    public Model<EncodedText> Model { get; }

    /// <summary>The batch.</summary>
    public Example<EncodedText>[] Rows { get; }

    /// <summary>How it is trained.</summary>
    public GeneratorTrainingConfig Config { get; }

    /// <summary>The loss, without a step.</summary>
    public float Loss()
    {
        _objective.Prepare(_examples, new Random(1));
        var loss = _objective.Accumulate(1f).Read();
        _optimizer.ClearGradients();
        return loss;
    }

    /// <summary>Packing, forward and backward pass, clipping and the optimiser's step.</summary>
    public void Take()
    {
        _objective.Prepare(_examples, new Random(1));
        var loss = _objective.Accumulate(1f);
        _optimizer.ClipGradients(Config.Training.MaxGradientNorm);
        _optimizer.Step(1f);
        loss.Read();
    }

    public void Dispose() => _optimizer.Dispose();
}
