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
    private readonly Engine _engine;
    private readonly TextClassifier _classifier;
    private readonly LabelledText[] _rows;
    private readonly int[] _batch;
    private readonly ClassifierObjective _objective;
    private readonly Optimizer _optimizer;

    /// <summary>Creates the model; the engine is disposed with it.</summary>
    /// <param name="engine">Where it lives.</param>
    /// <param name="rows">Rows of a step.</param>
    /// <param name="fewestWords">Words of the shortest row.</param>
    /// <param name="mostWords">Words of the longest row.</param>
    public TextTraining(Engine engine, int rows = 64, int fewestWords = 8, int mostWords = 24)
    {
        _engine = engine;
        _options = new TextClassifierOptions { Seed = 1, BatchSize = rows };
        var input = new TextClassifierTrainer(_options, Classes, engine).Input;
        var random = new Random(1);
        _rows =
        [
            .. Enumerable.Range(0, rows).Select(i => new LabelledText(
                input.Encode(Text(random, random.Next(fewestWords, mostWords + 1))), i % Classes)),
        ];
        _batch = [.. Enumerable.Range(0, _rows.Length)];
        var encoder = TextEncoderConfig.From(_options, input, usesTokenizer: false);
        var store = new ParameterStore(engine, seed: 1);
        _classifier = new TextClassifier(
            engine, new TextClassifierConfig(encoder, Classes, WideTable.BitsFor(_rows, Classes)), store, input);
        _objective = new ClassifierObjective(_options, engine, _classifier, _rows, []);
        _optimizer = ModelOptimizer.Create(engine, store, _options, _options.WideLearningRate);
    }

    /// <summary>Rows of a step.</summary>
    public int Rows => _rows.Length;

    /// <summary>Forward and backward pass, clipping and the optimiser's step, as the trainer takes them.</summary>
    public void Step()
    {
        _objective.Prepare(_batch, new Random(1));
        var loss = _objective.Accumulate(1f);
        _optimizer.ClipGradients(_options.MaxGradientNorm);
        _optimizer.Step(1f);
        loss();
    }

    /// <summary>Writes the model as it is now, and the rows, for PyTorch.</summary>
    public TextModelFiles Write() => new(_classifier, [.. _rows.Select(row => row.Text)], Score(), new
    {
        batch = TextModelFiles.Describe(_classifier.CreatePacker().Pack([.. _rows.Select(row => row.Text)], Noise(new Random(1)))),
        targets = _rows.Select(row => row.Label),
        labelSmoothing = _options.LabelSmoothing,
        learningRate = _options.LearningRate,
        embeddingLearningRate = _options.EmbeddingLearningRate,
        wideLearningRate = _options.WideLearningRate,
        weightDecay = _options.WeightDecay,
        maxGradientNorm = _options.MaxGradientNorm,
    });

    /// <summary>Checks that two models score the rows alike, which they do before their first step only: dropout differs.</summary>
    public static void CheckEqual(TextTraining first, TextTraining second)
    {
        const float tolerance = 1e-3f;
        var (expected, actual) = (first.Score(), second.Score());
        for (var i = 0; i < expected.Length; i++)
        {
            if (!(Math.Abs(expected[i] - actual[i]) <= tolerance))
                throw new InvalidOperationException($"The engines disagree: probability {i} is {expected[i]} and {actual[i]}.");
        }
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _engine.Dispose();
    }

    private InputNoise Noise(Random random) => new(random, _options.TokenMaskRate, _options.WordDropRate, _options.WideDropRate);

    private float[] Score()
    {
        var probabilities = new float[_rows.Length * Classes];
        _classifier.Score([.. _rows.Select(row => row.Text)], probabilities);
        return probabilities;
    }

    // Small word numbers are frequent, as in language.
    private static string Text(Random random, int length) => string.Join(
        ' ', Enumerable.Range(0, length).Select(_ => $"w{(int)(Words * Math.Pow(random.NextDouble(), 2))}"));
}
