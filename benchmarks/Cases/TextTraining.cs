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
    private const int FewestWords = 8;
    private const int MostWords = 24;
    private readonly TextClassifierOptions _options = new() { Seed = 1 };
    private readonly Engine _engine;
    private readonly TextClassifier _classifier;
    private readonly LabelledText[] _rows;
    private readonly int[] _batch;
    private readonly ClassifierObjective _objective;
    private readonly Optimizer _optimizer;

    /// <summary>Creates the model; the engine is disposed with it.</summary>
    public TextTraining(Engine engine)
    {
        _engine = engine;
        var input = new TextClassifierTrainer(_options, Classes, engine).Input;
        var random = new Random(1);
        _rows = [.. Enumerable.Range(0, _options.BatchSize).Select(i => new LabelledText(input.Encode(Text(random)), i % Classes))];
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
        _objective.Accumulate(_batch, 1f, new Random(1));
        _optimizer.ClipGradients(_options.MaxGradientNorm);
        _optimizer.Step(1f);
    }

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

    private float[] Score()
    {
        var probabilities = new float[_rows.Length * Classes];
        _classifier.Score([.. _rows.Select(row => row.Text)], probabilities);
        return probabilities;
    }

    // Small word numbers are frequent, as in language.
    private static string Text(Random random) => string.Join(
        ' ',
        Enumerable.Range(0, random.Next(FewestWords, MostWords + 1)).Select(_ => $"w{(int)(Words * Math.Pow(random.NextDouble(), 2))}"));
}
