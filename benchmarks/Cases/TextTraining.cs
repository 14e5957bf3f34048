using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// Training steps of the text classifier with all options at their defaults, on one batch: the same weights and rows on every engine.
/// </summary>
internal sealed class TextTraining : IDisposable
{
    private const int Classes = 10;
    private const int Words = 3000;
    private readonly TextClassifierConfig _config;
    private readonly Model<EncodedText> _model;
    private readonly Example<EncodedText>[] _rows;

    /// <summary>Creates the model; the engine is disposed with it.</summary>
    /// <param name="engine">Where it lives.</param>
    /// <param name="rows">Rows of a step.</param>
    /// <param name="fewestWords">Words of the shortest row.</param>
    /// <param name="mostWords">Words of the longest row.</param>
    public TextTraining(Engine engine, int rows = 64, int fewestWords = 8, int mostWords = 24)
    {
        _config = new TextClassifierConfig { Training = new TrainingConfig { Seed = 1, BatchSize = rows } };
        var input = TextInput.Create(_config.Input);
        var random = new Random(1);
        _rows =
        [
            .. Enumerable.Range(0, rows).Select(i => new Example<EncodedText>(
                input.Encode(Text(random, random.Next(fewestWords, mostWords + 1))), i % Classes)),
        ];
        _model = Create(engine, _config, input, Classes, new ParameterStore(engine, seed: 1));
        Steps = new TrainingSteps<EncodedText>(_config.Training, _model, new TextBatchPacker(_model.Packing(), _config.Noise), _rows);
    }

    /// <summary>The model that the text trainer would make.</summary>
    public static Model<EncodedText> Create(
        Engine engine, TextClassifierConfig config, TextInput input, int classes, ParameterStore store)
    {
        var head = new ClassesHeadConfig { Classes = classes };
        return new Model<EncodedText>(
            engine, new ModelConfig { Input = input.Config, Encoder = config.Encoder, Head = head }, input, store);
    }

    /// <summary>The steps.</summary>
    public TrainingSteps<EncodedText> Steps { get; }

    /// <summary>Writes the model as it is now, and the rows, for PyTorch.</summary>
    public TextModelFiles Write()
    {
        EncodedText[] texts = [.. _rows.Select(row => row.Input)];
        var packer = new TextBatchPacker(_model.Packing(), _config.Noise);
        var training = _config.Training;
        return new TextModelFiles(_model, texts, Steps.Score(), new
        {
            batch = TextModelFiles.Describe(packer.Pack(texts, new Random(1), withNoise: true)),
            targets = _rows.Select(row => (int)row.Target),
            labelSmoothing = training.LabelSmoothing,
            learningRate = training.LearningRate,
            embeddingLearningRate = training.EmbeddingLearningRate,
            weightDecay = training.WeightDecay,
            maxGradientNorm = training.MaxGradientNorm,
        });
    }

    public void Dispose() => Steps.Dispose();

    // Small word numbers are frequent, as in language.
    private static string Text(Random random, int length) => string.Join(
        ' ', Enumerable.Range(0, length).Select(_ => $"w{(int)(Words * Math.Pow(random.NextDouble(), 2))}"));
}
