using System.Diagnostics;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Training;

/// <summary>The training loop: epochs of shuffled batches, validation after each, the best epoch's weights at the end.</summary>
internal sealed class TrainingRun
{
    private readonly TextClassifierOptions _options;
    private readonly Engine _engine;
    private readonly TextClassifier _classifier;
    private readonly Optimizer _optimizer;
    private readonly LabelledText[] _training;
    private readonly IReadOnlyList<LabelledText> _validation;
    private readonly ITrainingObserver? _observer;
    private readonly Random _random;
    private readonly InputNoise _noise;
    private readonly float[] _classWeights;
    private readonly int _epochs;
    private readonly int _stepsPerEpoch;
    private readonly LearningRateSchedule _schedule;
    private int _step;

    public TrainingRun(
        TextClassifierOptions options,
        int seed,
        Engine engine,
        TextClassifier classifier,
        Optimizer optimizer,
        IReadOnlyList<LabelledText> training,
        IReadOnlyList<LabelledText>? validation,
        ITrainingObserver? observer)
    {
        _options = options;
        _engine = engine;
        _classifier = classifier;
        _optimizer = optimizer;
        _training = [.. training.Where(row => row.Weight > 0)];
        _validation = validation ?? [];
        _observer = observer;
        _random = new Random(seed ^ 0x5EED);
        _noise = new InputNoise(_random, options.TokenMaskRate, options.WordDropRate, options.WideDropRate);
        _classWeights = ClassWeights.For(_training.Select(r => r.Label), classifier.ClassCount, options.ClassWeighting);
        _epochs = options.MaxEpochs ?? EpochRule.EpochsFor(_training);
        _stepsPerEpoch = (_training.Length + options.BatchSize - 1) / options.BatchSize;
        _schedule = new LearningRateSchedule(options.Decay, _epochs * _stepsPerEpoch, options.WarmupShare);
    }

    /// <summary>Trains until the last epoch, until it no longer gets better, or until told to stop.</summary>
    public void Execute(CancellationToken stop)
    {
        var order = Enumerable.Range(0, _training.Length).ToArray();
        var best = new ParameterSnapshot([.. _classifier.Parameters.All.Select(p => p.Parameter)]);
        var bestLoss = double.PositiveInfinity;
        var sinceBest = 0;
        for (var epoch = 1; epoch <= _epochs && !stop.IsCancellationRequested; epoch++)
        {
            var watch = Stopwatch.StartNew();
            _random.Shuffle(order);
            var (loss, steps) = RunEpoch(epoch, order, stop);
            var rowsPerSecond = Math.Min(_training.Length, (double)steps * _options.BatchSize) / watch.Elapsed.TotalSeconds;
            var result = _validation.Count > 0 ? Evaluation.Of(_classifier, _validation) : ((double Loss, double Accuracy)?)null;
            var isBest = result is not { } scored || scored.Loss < bestLoss || !best.IsTaken;
            if (result is not null && isBest)
            {
                best.Take();
                bestLoss = result.Value.Loss;
            }

            sinceBest = isBest ? 0 : sinceBest + 1;
            var rate = _options.LearningRate * _schedule.FactorAt(Math.Max(0, _step - 1));
            _observer?.OnEpoch(
                new EpochReport(epoch, _epochs, loss, result?.Loss, result?.Accuracy, rate, rowsPerSecond, isBest));
            if (result is not null && sinceBest >= _options.EarlyStoppingPatience)
                break;
        }

        if (best.IsTaken)
            best.Restore();
    }

    private (double MeanLoss, int Steps) RunEpoch(int epoch, int[] order, CancellationToken stop)
    {
        var sum = 0.0;
        var step = 0;
        while (step < _stepsPerEpoch && !stop.IsCancellationRequested)
        {
            var batch = order.AsSpan(step * _options.BatchSize, Math.Min(_options.BatchSize, order.Length - step * _options.BatchSize));
            var factor = _schedule.FactorAt(_step);
            var loss = RunStep(batch);
            var norm = _optimizer.ClipGradients(_options.MaxGradientNorm);
            if (!double.IsFinite(loss) || !float.IsFinite(norm))
                throw new InvalidOperationException(
                    $"Training diverged: the loss is {loss} in epoch {epoch} at learning rate {_options.LearningRate * factor:G3}. "
                    + $"Lower {nameof(_options.LearningRate)} or {nameof(_options.MaxGradientNorm)}, or raise {nameof(_options.WarmupShare)}.");
            _optimizer.Step(factor);
            _step++;
            step++;
            sum += loss;
            _observer?.OnStep(epoch, step, _stepsPerEpoch, loss);
        }

        return (sum / Math.Max(1, step), step);
    }

    /// <summary>Accumulates the gradients of a batch, in as many parts as the options ask for.</summary>
    private double RunStep(ReadOnlySpan<int> batch)
    {
        var parts = Math.Min(_options.AccumulationSteps, batch.Length);
        var loss = 0.0;
        for (var part = 0; part < parts; part++)
        {
            var (start, end) = (batch.Length * part / parts, batch.Length * (part + 1) / parts);
            loss += RunPart(batch[start..end], (float)(end - start) / batch.Length);
        }

        return loss;
    }

    private double RunPart(ReadOnlySpan<int> part, float share)
    {
        var texts = new EncodedText[part.Length];
        var targets = new int[part.Length];
        var weights = new float[part.Length];
        for (var i = 0; i < part.Length; i++)
        {
            var row = _training[part[i]];
            (texts[i], targets[i], weights[i]) = (row.Text, row.Label, row.Weight * _classWeights[row.Label]);
        }

        using var tape = _engine.BeginTape(training: true, seed: (ulong)_random.NextInt64());
        var network = _classifier.Network;
        var output = network.Forward(tape, TextBatch.Pack(texts, network.WideBits, _noise));
        var (loss, reported) = ClassifierLoss.Of(tape, output, targets, weights, _options.LabelSmoothing);
        tape.Backward(loss, share);
        return reported.ToArray()[0] * share;
    }
}
