using System.Globalization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>A published encoder with the head that it was saved with, and how it is compared with a <see cref="GoldenModel"/>.</summary>
internal sealed class GoldenEncoder
{
    private const double Tolerance = 1e-4;

    /// <summary>Where all numbers of a tensor are almost nothing.</summary>
    private const double Least = 1e-7;

    private readonly PublishedFolder _folder;
    private readonly Engine _engine;
    private readonly GoldenModel _golden;
    private readonly PublishedConfig _config;
    private readonly ParameterStore _store;
    private readonly TokenEmbedding _embedding;
    private readonly Encoder _encoder;
    private readonly FirstTokenLayer? _pooler;
    private readonly PublishedClassesHeadConfig? _classesConfig;
    private readonly Head? _classes;
    private readonly MaskedTokenHead? _tokens;
    private readonly RoutedOutputs _routed = new();

    public GoldenEncoder(PublishedFolder folder, Engine engine, GoldenModel golden)
    {
        (_folder, _engine, _golden) = (folder, engine, golden);
        // gradients of the goldens are without dropout
        _config = folder.Encoder with { Dropout = 0f, AttentionDropout = 0f };
        ParameterStore? made = null;
        (_embedding, _encoder, _pooler, _classesConfig, _classes, _tokens) = folder.Load(engine, 0, store =>
        {
            made = store;
            // a file may have a head of which the goldens say nothing
            var saved = golden.Cases.Any(c => c.Outputs.Contains("logits")) ? folder.SavedClass : "";
            var classes = saved.EndsWith("ForSequenceClassification", StringComparison.Ordinal)
                ? PublishedClassesHeadConfig.Of(folder)
                : null;
            return (
                _config.CreateTokenEmbedding(store),
                _config.CreateEncoder(store),
                golden.Cases.Any(c => c.Outputs.Contains("pooler_output")) ? new FirstTokenLayer(store, "pooler", _config.Width) : null,
                classes,
                classes?.CreateHead(store, _config),
                saved.EndsWith("ForMaskedLM", StringComparison.Ordinal) || saved.EndsWith("ForPreTraining", StringComparison.Ordinal)
                    ? (MaskedTokenHead)_config.MaskedTokens.CreateHead(store, _config)
                    : null);
        });
        _store = made!;
    }

    public void Compare(GoldenCase test, TensorSource weights)
    {
        using var tape = _engine.BeginTape(training: test.HasGradients);
        var batch = test.ToBatch();
        var context = new ForwardContext(tape, batch.Layout, observer: _routed);
        var encoded = _encoder.Forward(context, _embedding.Forward(context, batch));
        var logits = _classes?.Forward(tape, encoded, batch) ?? _tokens?.Scores(tape, encoded.Last);
        var loss = LossOf(tape, test, encoded.Last, logits);
        if (test.HasGradients)
            tape.Backward(loss!);
        var gradients = test.HasGradients
            ? PublishedGradients.Of(_store.All.Select(p => p.Parameter), _folder.Encoder.CreateRules(), weights)
            : [];

        foreach (var output in test.Outputs)
        {
            if (output.StartsWith("grad.", StringComparison.Ordinal))
                Equal(test, output, gradients[output["grad.".Length..]], byToken: false);
            else if (output == "last_hidden_state")
                Equal(test, output, encoded.Last.ToArray(), byToken: true);
            else if (output.StartsWith("hidden_states.", StringComparison.Ordinal))
                Equal(test, output, encoded.After(Number(output)).ToArray(), byToken: true);
            else if (output == "pooler_output")
                Equal(test, output, _pooler!.Forward(tape, encoded.Last, batch.Layout).ToArray(), byToken: false);
            else if (output == "logits")
                Equal(test, output, logits!.ToArray(), byToken: _tokens is not null);
            else if (output == "embedding")
                Equal(test, output, tape.MeanPool(encoded.Last, batch.Layout).ToArray(), byToken: false);
            else if (output == "embedding_normalized")
                Equal(test, output, Normalized(tape.MeanPool(encoded.Last, batch.Layout)), byToken: false);
            else if (_routed.Values.TryGetValue(output, out var routed))
                Equal(test, output, routed, byToken: true);
            else
                Assert.Fail($"{test.Name}: nothing is known of {output}.");
        }

        foreach (var scalar in test.Scalars)
        {
            var expected = test.Scalar(scalar)!.Value;
            var actual = scalar == "loss" ? loss!.ToArray()[0] : MeanTopSum(test, Number(scalar));
            Assert.True(Math.Abs(expected - actual) <= Tolerance * Math.Max(1, Math.Abs(expected)), $"{test.Name} {scalar}: {actual}, not {expected}");
        }
    }

    private double MeanTopSum(GoldenCase test, int layer)
    {
        var weights = _routed.Values[$"top_weights.{layer}"];
        var k = weights.Length / (test.Rows * test.Length);
        var mask = test.Mask;
        return weights.Chunk(k).Where((_, token) => mask[token] > 0).Average(w => w.Sum());
    }

    private Tensor? LossOf(Tape tape, GoldenCase test, Tensor lastTD, Tensor? logits)
    {
        if (test["loss_weights"] is var (weights, _))
        {
            // Σ weights∘states: the mean over all tokens as one row, times their number
            var weighted = tape.Multiply(lastTD, tape.Constant(weights, lastTD.Shape));
            var mean1D = tape.MeanPool(weighted, new SequenceLayout([0, lastTD.Shape[0]]));
            var ones = tape.Constant([.. Enumerable.Repeat(1f, lastTD.Columns)], lastTD.Columns, 1);
            return tape.Scale(tape.Linear(mean1D, ones), lastTD.Shape[0]);
        }

        if (logits is null || test["labels"] is not var (labels, _))
            return null;
        if (_classesConfig is { Task: PublishedTask.ManyClasses })
            return tape.BinaryCrossEntropy(logits, labels, []);
        if (_classesConfig is { Task: PublishedTask.Numbers })
            return tape.SquaredError(logits, labels, []);
        int[] rows = [.. Enumerable.Range(0, labels.Length).Where(i => labels[i] >= 0)];
        return tape.CrossEntropy(tape.Embedding(logits, rows), [.. rows.Select(i => (int)labels[i])], []);
    }

    private void Equal(GoldenCase test, string output, float[] actual, bool byToken)
    {
        var expected = test[output]?.Values ?? throw new InvalidDataException($"{test.Name}.{output} is not in the file.");
        var withoutKeys = test[$"sdpa_5.{output}"]?.Values;
        Assert.True(expected.Length == actual.Length, $"{test.Name} {output}: {actual.Length} numbers, not {expected.Length}");
        var largest = expected.Max(Math.Abs);
        var allowed = test.DataType == "float32"
            ? Tolerance * largest + Least
            : 2 * _golden.Json.GetProperty("tolerance").GetProperty($"{test.DataType}_minus_float32").GetProperty("max_abs").GetDouble();
        if (output.StartsWith("top_experts", StringComparison.Ordinal))
            allowed = 0;
        var mask = test.Mask;
        // at padding only where the goldens say that they are right there too
        var everywhere = !byToken || test.Note.Contains("values at padded positions are stored too", StringComparison.Ordinal);
        var perRow = expected.Length / test.Rows;
        var perToken = Math.Max(1, perRow / test.Length);
        var (worst, where) = (0.0, -1);
        for (var i = 0; i < expected.Length; i++)
        {
            var value = expected[i];
            if (!output.StartsWith("grad.", StringComparison.Ordinal) && test.IsAllPadding(i / perRow))
            {
                // a query without keys gives zeros here, not the mean of all values
                if (withoutKeys is null)
                    continue;
                value = withoutKeys[i];
            }
            else if (!everywhere && mask[i / perToken] == 0)
            {
                continue;
            }

            var error = float.IsFinite(actual[i]) ? Math.Abs(value - actual[i]) : double.PositiveInfinity;
            if (error > worst)
                (worst, where) = (error, i);
        }

        Assert.True(worst <= allowed, $"{test.Name} {output}[{where}]: off by {worst:g3}, allowed {allowed:g3} of {largest:g3}");
    }

    private static float[] Normalized(Tensor xBD) =>
        [.. xBD.ToArray().Chunk(xBD.Columns).SelectMany(x => x.Select(v => v / MathF.Sqrt(x.Sum(w => w * w))))];

    private static int Number(string name) => int.Parse(name[(name.LastIndexOf('.') + 1)..], CultureInfo.InvariantCulture);
}
