using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// Training steps of the text classifier with all options at their defaults, on one batch: the same weights and rows on every engine.
/// </summary>
internal sealed class TextTraining : IDisposable
{
    private const int Classes = 10;
    private const int Words = 3000;
    private readonly TextClassifierOptions _options;
    private readonly TextClassifier _classifier;
    private readonly LabelledRow<EncodedText>[] _rows;

    /// <summary>Creates the model; the engine is disposed with it.</summary>
    /// <param name="engine">Where it lives.</param>
    /// <param name="rows">Rows of a step.</param>
    /// <param name="fewestWords">Words of the shortest row.</param>
    /// <param name="mostWords">Words of the longest row.</param>
    public TextTraining(Engine engine, int rows = 64, int fewestWords = 8, int mostWords = 24)
    {
        _options = new TextClassifierOptions { Seed = 1, BatchSize = rows };
        var input = new TextClassifierTrainer(_options, Classes, engine).Input;
        var random = new Random(1);
        _rows =
        [
            .. Enumerable.Range(0, rows).Select(i => new LabelledRow<EncodedText>(
                input.Encode(Text(random, random.Next(fewestWords, mostWords + 1))), i % Classes)),
        ];
        var encoder = TextEncoderConfig.From(_options, input, usesTokenizer: false);
        var store = new ParameterStore(engine, seed: 1);
        _classifier = new TextClassifier(
            engine, new TextClassifierConfig(encoder, Classes, WideTable.BitsFor(_rows, Classes)), store, input);
        Steps = new TrainingSteps<EncodedText>(
            _options,
            _options,
            engine,
            _classifier,
            new TextClassifierForward(_classifier, options: _options),
            ModelOptimizer.Create(engine, store, _options, _options.EmbeddingLearningRate, _options.WideLearningRate),
            _rows);
    }

    /// <summary>The steps.</summary>
    public TrainingSteps<EncodedText> Steps { get; }

    /// <summary>Writes the model as it is now, and the rows, for PyTorch.</summary>
    public TextModelFiles Write() => new(_classifier, [.. _rows.Select(row => row.Input)], Steps.Score(), new
    {
        batch = TextModelFiles.Describe(_classifier.CreatePacker().Pack([.. _rows.Select(row => row.Input)], Noise(new Random(1)))),
        targets = _rows.Select(row => row.Label),
        labelSmoothing = _options.LabelSmoothing,
        learningRate = _options.LearningRate,
        embeddingLearningRate = _options.EmbeddingLearningRate,
        wideLearningRate = _options.WideLearningRate,
        weightDecay = _options.WeightDecay,
        maxGradientNorm = _options.MaxGradientNorm,
    });

    public void Dispose() => Steps.Dispose();

    private InputNoise Noise(Random random) => new(random, _options.TokenMaskRate, _options.WordDropRate, _options.WideDropRate);

    // Small word numbers are frequent, as in language.
    private static string Text(Random random, int length) => string.Join(
        ' ', Enumerable.Range(0, length).Select(_ => $"w{(int)(Words * Math.Pow(random.NextDouble(), 2))}"));
}
