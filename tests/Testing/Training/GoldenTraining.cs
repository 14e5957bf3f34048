using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>A training of a published classifier as the goldens tell it, step by step.</summary>
internal sealed partial class GoldenTraining : IDisposable
{
    private const double Tolerance = 1e-4;

    private readonly Engine _engine;
    private readonly JsonDocument _expected;
    private readonly TensorFiles _tensors;
    private readonly TensorFiles _weights;
    private readonly WeightRules _rules;
    private readonly ParameterStore _store;
    private readonly TokenEmbedding _embedding;
    private readonly Encoder _encoder;
    private readonly Head _head;

    private GoldenTraining(string path, Engine engine)
    {
        _engine = engine;
        _expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(path, "expected.json")));
        _tensors = TensorFiles.Open(Path.Combine(path, "expected.safetensors"));
        _weights = TensorFiles.Open(Path.Combine(path, "model.safetensors"));
        var folder = PublishedFolder.Open(path);
        var config = folder.Encoder with { Dropout = 0f, AttentionDropout = 0f };
        _rules = config.CreateRules();
        var weights = Weights.From(_weights, _rules, WeightPrecision.Float32);
        _store = new ParameterStore(engine, weights) { HasDenseTables = true };
        (_embedding, _encoder) = (config.CreateTokenEmbedding(_store), config.CreateEncoder(_store));
        _head = PublishedClassesHeadConfig.Of(folder).CreateHead(_store, config);
        weights.Complete();
    }

    private JsonElement Settings => _expected.RootElement.GetProperty("optimizer");

    private IEnumerable<Parameter> Parameters => _store.All.Select(p => p.Parameter);

    public static GoldenTraining Open(string path, Engine engine) => new(path, engine);

    public void Compare()
    {
        var peak = Settings.GetProperty("lr").GetDouble();
        var clip = Settings.TryGetProperty("clip_norm", out var norm) && norm.ValueKind == JsonValueKind.Number
            ? norm.GetSingle()
            : float.PositiveInfinity;
        var snapshots = _expected.RootElement.GetProperty("snapshots").EnumerateArray().Select(step => step.GetInt32()).ToHashSet();
        using var optimizer = FineTuningOptimizer.Create(_engine, _store.All, (parameter, _) => RateOf(parameter, (float)peak));
        foreach (var step in _expected.RootElement.GetProperty("steps").EnumerateArray())
        {
            var number = step.GetProperty("step").GetInt32();
            var rate = peak * Factor(number - 1, step);
            Near($"lr of step {number}", step.GetProperty("lr").GetDouble(), rate, peak);
            var loss = Accumulate([.. step.GetProperty("batches").EnumerateArray().Select(batch => batch.GetInt32())]);
            Near($"loss of step {number}", step.GetProperty("loss").GetDouble(), loss, 1);
            if (number == 1)
                CompareTensors("grad.1.", PublishedGradients.Of(Parameters, _rules, _weights));
            optimizer.ClipGradients(clip);
            var found = step.GetProperty("grad_norm_before_clip").GetDouble();
            Near($"gradient norm of step {number}", found, optimizer.GradientNorm, found);
            optimizer.Step((float)(rate / peak));
            if (snapshots.Contains(number))
                CompareTensors($"after.{number}.", PublishedGradients.ValuesOf(Parameters, _rules, _weights));
        }
    }

    public void Dispose()
    {
        _expected.Dispose();
        _tensors.Dispose();
        _weights.Dispose();
    }

    /// <summary>The factor of a step's learning rate: of this library's curve where the schedule is told in the words that are known.</summary>
    private double Factor(int stepsBefore, JsonElement step)
    {
        if (WarmUpAndLine().Match(Settings.GetProperty("schedule").GetString()!) is not { Success: true } words)
            return step.GetProperty("lr").GetDouble() / Settings.GetProperty("lr").GetDouble();
        var (warmUp, steps) = (Number(words.Groups[1]), Number(words.Groups[2]));
        return LearningRateCurves.WarmUp(warmUp, LearningRateCurves.Fall(steps - warmUp, LearningRateCurves.Linear))(stepsBefore);
    }

    /// <summary>How the tensors learn that a parameter was loaded from, which must be alike.</summary>
    private ParameterRate RateOf(Parameter parameter, float peak) =>
        PublishedGradients.NamesOf(parameter, _rules, _weights).Select(RateOf).Distinct().Single() switch
        {
            { LearningRate: var multiplier, WeightDecay: var decay } => new ParameterRate(peak * multiplier, decay),
        };

    private ParameterRate RateOf(string tensor)
    {
        var settings = _expected.RootElement.GetProperty("parameters").GetProperty(tensor);
        return settings.TryGetProperty("frozen", out var frozen) && frozen.GetBoolean()
            ? new ParameterRate(0f, 0f)
            : new ParameterRate(settings.GetProperty("lr_multiplier").GetSingle(), settings.GetProperty("weight_decay").GetSingle());
    }

    /// <summary>Adds the gradients of the mean of batches.</summary>
    /// <returns>The mean loss.</returns>
    private double Accumulate(int[] batches)
    {
        var sum = 0.0;
        foreach (var number in batches)
        {
            using var tape = _engine.BeginTape(training: true);
            var batch = BatchOf(number);
            var context = new ForwardContext(tape, batch.Layout);
            var encoded = _encoder.Forward(context, _embedding.Forward(context, batch));
            var labels = Integers($"batch.{number}.labels");
            var loss = tape.CrossEntropy(_head.Forward(tape, encoded, batch), labels, [], LabelSmoothing);
            tape.Backward(loss, 1f / batches.Length);
            sum += loss.ToArray()[0];
        }

        return sum / batches.Length;
    }

    private float LabelSmoothing => Smoothing().Match(_expected.RootElement.GetProperty("loss").GetString()!) is { Success: true } words
        ? (float)Number(words.Groups[1])
        : 0f;

    private TokenIdBatch BatchOf(int number)
    {
        var ids = Integers($"batch.{number}.input_ids");
        var shape = _tensors.Tensors[$"batch.{number}.input_ids"].Shape;
        int[] offsets = [.. Enumerable.Range(0, shape[0] + 1).Select(row => row * shape[1])];
        bool[] mask = [.. Integers($"batch.{number}.attention_mask").Select(value => value > 0)];
        var types = $"batch.{number}.token_type_ids";
        return new TokenIdBatch().Reset(
            new SequenceLayout(offsets, mask.Contains(false) ? mask : null), ids, _tensors.Tensors.ContainsKey(types) ? Integers(types) : default);
    }

    /// <summary>Compares all stored tensors whose names begin with a prefix, but those that are rounding alone.</summary>
    private void CompareTensors(string prefix, Dictionary<string, float[]> actual)
    {
        var left = _expected.RootElement.GetProperty("not_compared").EnumerateArray().Select(name => name.GetString()!).ToHashSet();
        var names = _tensors.Tensors.Keys.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(names);
        foreach (var name in names.Where(name => !left.Contains(name[prefix.Length..])))
        {
            var expected = Floats(name);
            var largest = expected.Max(Math.Abs);
            foreach (var (i, value) in expected.Index())
                Near($"{name}[{i}]", value, actual[name[prefix.Length..]][i], largest);
        }
    }

    private static void Near(string what, double expected, double actual, double scale) => Assert.True(
        Math.Abs(expected - actual) <= Tolerance * scale + 1e-9, $"{what}: expected {expected}, got {actual}, of {scale}.");

    private float[] Floats(string name)
    {
        var tensor = _tensors.Tensors[name];
        var values = new float[tensor.Elements];
        _tensors.Read(tensor, 0, values);
        return values;
    }

    private int[] Integers(string name) => [.. Floats(name).Select(value => (int)value)];

    private static double Number(Group digits) => double.Parse(digits.Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"linear warm-up over (\d+) of (\d+) steps, then linear to 0")]
    private static partial Regex WarmUpAndLine();

    [GeneratedRegex(@"label smoothing (\d*\.?\d+)")]
    private static partial Regex Smoothing();
}
