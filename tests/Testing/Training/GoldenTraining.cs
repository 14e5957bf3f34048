using System.Text.Json;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>A training of a published model as the goldens tell it, step by step.</summary>
internal sealed class GoldenTraining : IDisposable
{
    /// <summary>Of a tensor's largest element: weights, and everything else.</summary>
    private const double WeightTolerance = 1e-5;
    private const double Tolerance = 5e-5;

    /// <summary>How many times as far as the original's own rounding.</summary>
    private const double Roundings = 3;

    private readonly Engine _engine;
    private readonly JsonDocument _expected;
    private readonly TensorFiles _tensors;
    private readonly TensorFiles _weights;
    private readonly GoldenTrainingSettings _settings;
    private readonly GoldenTrained _model;

    private GoldenTraining(string path, Engine engine)
    {
        _engine = engine;
        _expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(path, "expected.json")));
        _tensors = TensorFiles.Open(Path.Combine(path, "expected.safetensors"));
        _weights = TensorFiles.Open(Path.Combine(path, "model.safetensors"));
        _settings = new GoldenTrainingSettings(_expected.RootElement);
        _model = GoldenTrained.Open(path, engine, _weights, _tensors, _settings);
    }

    /// <summary>Whether the file tells, too, what comes of it if an expert without tokens has a gradient of zeros.</summary>
    public bool HasZerosToo => _expected.RootElement.TryGetProperty("zero_gradient_rule", out _);

    private IEnumerable<Parameter> Parameters => _model.Store.All.Select(p => p.Parameter);

    public static GoldenTraining Open(string path, Engine engine) => new(path, engine);

    /// <summary>Runs all steps.</summary>
    /// <param name="withZeros">Whether experts without tokens have a gradient of zeros where the original's have none.</param>
    public void Compare(bool withZeros = false)
    {
        var peak = _settings.Peak;
        using var optimizer = FineTuningOptimizer.Create(
            _engine,
            _model.Store.All,
            (parameter, _) => _settings.RateOf(PublishedGradients.NamesOf(parameter, _model.Rules, _weights)),
            _settings.Betas.First,
            _settings.Betas.Second,
            _settings.Epsilon,
            skipsWithoutGradient: _settings.SkipsWithoutGradient && !withZeros);
        foreach (var (place, step) in _expected.RootElement.GetProperty("steps").EnumerateArray().Index())
        {
            var number = step.GetProperty("step").GetInt32();
            var rate = peak * _settings.Factor(number - 1, step);
            Near($"lr of step {number}", step.GetProperty("lr").GetDouble(), rate, peak);
            var loss = Accumulate(step, withZeros);
            var expected = withZeros ? _expected.RootElement.GetProperty("zero_gradient_losses")[place] : step.GetProperty("loss");
            Near($"loss of step {number}", expected.GetDouble(), loss, 1);
            CompareReach(step, number, withZeros);
            if (number == 1)
                CompareTensors("grad.1.", Tolerance, PublishedGradients.Of(Learning(), _model.Rules, _weights));
            optimizer.ClipGradients(_settings.ClipNorm);
            var found = step.GetProperty("grad_norm_before_clip").GetDouble();
            if (!withZeros)
                Near($"gradient norm of step {number}", found, optimizer.GradientNorm, found);
            optimizer.Step((float)(rate / peak));
            if (_settings.Snapshots.Contains(number))
            {
                CompareTensors(
                    withZeros ? $"after_zero.{number}." : $"after.{number}.",
                    WeightTolerance,
                    PublishedGradients.ValuesOf(Parameters, _model.Rules, _weights),
                    Roundings * _settings.RoundingAfter(number));
            }
        }
    }

    public void Dispose()
    {
        _expected.Dispose();
        _tensors.Dispose();
        _weights.Dispose();
    }

    private IEnumerable<Parameter> Learning() => Parameters.Where(parameter => !parameter.IsFrozen);

    /// <summary>Adds the gradients of the mean of batches.</summary>
    /// <returns>The mean loss.</returns>
    private double Accumulate(JsonElement step, bool withZeros)
    {
        int[] batches = [.. step.GetProperty("batches").EnumerateArray().Select(batch => batch.GetInt32())];
        var sum = 0.0;
        foreach (var (part, number) in batches.Index())
        {
            using var tape = _engine.BeginTape(training: true);
            var parts = new Dictionary<string, double>();
            var total = _model.Loss(tape, number, parts);
            foreach (var extra in tape.AuxiliaryLosses)
                total = tape.Add(total, extra);
            tape.Backward(total, 1f / batches.Length);
            var loss = total.ToArray()[0];
            sum += loss;
            if (withZeros)
                continue;
            Near($"loss of batch {number}", step.GetProperty("micro_losses")[part].GetDouble(), loss, 1);
            if (!step.TryGetProperty("parts", out var told))
                continue;
            foreach (var expected in told[part].EnumerateObject().Where(expected => expected.Value.ValueKind == JsonValueKind.Number))
                Near($"{expected.Name} of batch {number}", expected.Value.GetDouble(), parts[expected.Name], expected.Value.GetDouble());
        }

        return sum / batches.Length;
    }

    /// <summary>Which experts no gradient has reached.</summary>
    private void CompareReach(JsonElement step, int number, bool withZeros)
    {
        if (withZeros || !_settings.SkipsWithoutGradient)
            return;
        var expected = step.GetProperty("parameters_without_gradient").EnumerateArray().Select(name => name.GetString()!).ToHashSet();
        var actual = new HashSet<string>();
        foreach (var parameter in Learning())
        {
            if (parameter.Value.ExpertsWithGradient is not { } reached)
                continue;
            // a stack is made of as many tensors for each expert, in their order
            string[] names = [.. PublishedGradients.NamesOf(parameter, _model.Rules, _weights)];
            foreach (var (place, name) in names.Index())
                if (!reached[place * reached.Length / names.Length])
                    actual.Add(name);
        }

        Assert.True(
            expected.SetEquals(actual),
            $"Without gradient in step {number}: expected {string.Join(", ", expected)}; got {string.Join(", ", actual)}.");
    }

    /// <summary>Compares all stored tensors whose names begin with a prefix, but those that are rounding alone.</summary>
    private void CompareTensors(string prefix, double tolerance, Dictionary<string, float[]> actual, double more = 0)
    {
        var names = _tensors.Tensors.Keys.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(names);
        foreach (var name in names.Where(name => !_settings.NotCompared.Contains(name[prefix.Length..])))
        {
            var expected = GoldenTrained.Floats(_tensors, name);
            var largest = expected.Max(Math.Abs);
            foreach (var (i, value) in expected.Index())
                Near($"{name}[{i}]", value, actual[name[prefix.Length..]][i], largest, tolerance, more);
        }
    }

    private static void Near(
        string what, double expected, double actual, double scale, double tolerance = Tolerance, double more = 0) => Assert.True(
        Math.Abs(expected - actual) <= tolerance * scale + more + 1e-9, $"{what}: expected {expected}, got {actual}, of {scale}.");
}
