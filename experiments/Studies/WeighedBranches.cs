using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>A classifier with default settings, and what its two branches say of the test rows each on its own.</summary>
/// <param name="set">The set.</param>
/// <param name="seed">Seed of the training.</param>
/// <param name="engine">Where the encoder is trained.</param>
/// <param name="epochs">Passes of the encoder; null for its rule.</param>
internal sealed class WeighedBranches(TextSet set, int seed, Engine engine, int? epochs)
{
    private Model<EncodedText>? _model;
    private EncodedText[] _test = [];

    /// <summary>Weight of the network and of the linear branch.</summary>
    public (float Network, float Linear) Weights => Branch.Weights;

    private LinearBranch Branch => (LinearBranch)_model!.Branch!;

    /// <summary>Trains both.</summary>
    public void Train(CancellationToken stop)
    {
        var config = new TextClassifierConfig { Training = new TrainingConfig { Seed = seed, MaxEpochs = epochs } };
        var trainer = new TextClassifierTrainer(config, set.Classes.Count, engine);
        _model = trainer.Train(
            [.. set.Train.Select(row => new Example<EncodedText>(trainer.Input.Encode(row.First, row.Second), set.ClassOf(row)))], stop: stop);
        var input = (TextInput)_model.Input;
        _test = [.. set.Test.Select(row => input.Encode(row.First, row.Second))];
    }

    /// <summary>Of the test rows by both branches.</summary>
    public float[] Probabilities() => Score(_model!);

    /// <summary>Of the test rows by the linear branch.</summary>
    public float[] LinearProbabilities()
    {
        var logarithms = new float[_test.Length * set.Classes.Count];
        Branch.Model.ScoreLogarithms([.. _test.Select(row => row.Linear!)], logarithms);
        return [.. logarithms.Select(MathF.Exp)];
    }

    /// <summary>Of the test rows by the network.</summary>
    public float[] NetworkProbabilities() =>
        Score(new Model<EncodedText>(engine, _model!.Config, _model.Input, new ParameterStore(_model.Parameters)));

    private float[] Score(Model<EncodedText> model)
    {
        var probabilities = new float[_test.Length * set.Classes.Count];
        model.Score(_test, probabilities);
        return probabilities;
    }
}
