using System.Text.Json;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>One case of a file of golden losses: inputs, parameters, the value and its gradients.</summary>
/// <param name="kind">What the file says that it is about.</param>
/// <param name="json">The case.</param>
internal sealed class LossCase(string kind, JsonElement json)
{
    private readonly JsonElement _inputs = json.GetProperty("inputs");
    private readonly JsonElement _parameters = json.GetProperty("parameters");

    /// <summary>The value, or the values without reduction.</summary>
    public double[] Value { get; } = Numbers(json.GetProperty("value"));

    /// <summary>The gradients by input; none where the case has none.</summary>
    public IReadOnlyDictionary<string, double[]> Gradients { get; } = json.TryGetProperty("gradients", out var gradients)
        ? gradients.EnumerateObject().ToDictionary(input => input.Name, input => Numbers(input.Value))
        : [];

    /// <summary>Names of the cases of a file.</summary>
    public static IEnumerable<string> NamesIn(string path)
    {
        using var file = JsonDocument.Parse(File.ReadAllText(path));
        return [.. file.RootElement.GetProperty("cases").EnumerateArray().Select(@case => @case.GetProperty("name").GetString()!)];
    }

    /// <summary>Reads one case of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="number">Number of the case, from 0.</param>
    public static LossCase Read(string path, int number)
    {
        using var file = JsonDocument.Parse(File.ReadAllText(path));
        return new LossCase(file.RootElement.GetProperty("kind").GetString()!, file.RootElement.GetProperty("cases")[number].Clone());
    }

    /// <summary>The value of this library, and its gradients as the case names them.</summary>
    public (float[] Value, IReadOnlyDictionary<string, float[]> Gradients) Run(Engine engine)
    {
        if (kind.Contains("moving average", StringComparison.Ordinal))
            return (MovingAverages(engine), new Dictionary<string, float[]>());
        var parameters = Gradients.Keys.ToDictionary(
            name => name, name => engine.CreateParameter(name, MatrixShape(name), Floats(name)).Value);
        float[] values;
        using (var tape = engine.BeginTape(training: true))
        {
            var loss = Loss(tape, name => parameters[name]);
            values = Reduction == "none" ? Unreduced(engine) : loss.ToArray();
            tape.Backward(loss);
        }

        return (values, parameters.ToDictionary(pair => pair.Key, pair => GradientOf(pair.Value)));
    }

    private string Reduction => _parameters.TryGetProperty("reduction", out var reduction) ? reduction.GetString()! : "mean";

    private Tensor Loss(Tape tape, Func<string, Tensor> input)
    {
        if (kind.StartsWith("supervised contrastive", StringComparison.Ordinal))
            return SupervisedContrast.Loss(tape, input("embeddings"), Integers("labels"), Number("temperature"));
        if (kind.StartsWith("multiple negatives", StringComparison.Ordinal))
        {
            var negatives = Has("negatives") ? input("negatives") : null;
            var isSymmetric = _parameters.TryGetProperty("symmetric", out var symmetric) && symmetric.GetBoolean();
            return InBatchNegatives.Loss(tape, input("anchors"), input("positives"), negatives, Number("scale"), isSymmetric);
        }

        if (kind.StartsWith("cosine similarity", StringComparison.Ordinal))
            return CosineError.Loss(tape, input("u"), input("v"), Floats("labels"));
        if (kind.StartsWith("cross-entropy", StringComparison.Ordinal))
            return CrossEntropy(tape, input("logits"), Integers("labels"), Reduction == "mean");
        if (kind.StartsWith("focal", StringComparison.Ordinal))
            return Focal(tape, input("logits"));
        if (kind.StartsWith("R-Drop", StringComparison.Ordinal))
            return RDrop(tape, input("logits1"), input("logits2"));
        if (kind.StartsWith("Huber", StringComparison.Ordinal))
            return Regression(tape, input("predictions"));
        if (kind.StartsWith("temperature", StringComparison.Ordinal))
        {
            return Has("teacher_logits")
                ? Divergence.FromTeacher(tape, input("logits"), Floats("teacher_logits"), Number("temperature"))
                : tape.CrossEntropy(tape.Scale(input("logits"), 1f / Number("temperature")), Integers("labels"), []);
        }

        throw new NotSupportedException($"No such loss: {kind}.");
    }

    private Tensor CrossEntropy(Tape tape, Tensor logits, int[] labels, bool isMean)
    {
        var ignored = (int)Number("ignore_index");
        var smoothing = Number("label_smoothing");
        float[] classWeights = Has("class_weights") ? Floats("class_weights") : [];
        var weights = labels.Select(label => label == ignored ? 0f : Has("class_weights") ? classWeights[label] : 1f).ToArray();
        var loss = Has("class_weights")
            ? ClassWeightedCrossEntropy.Loss(
                tape, logits, [.. labels.Select(label => label == ignored ? -1 : label)], classWeights, smoothing)
            : tape.CrossEntropy(logits, [.. labels.Select(label => label == ignored ? 0 : label)], weights, smoothing);
        return isMean ? loss : tape.Scale(loss, weights.Sum());
    }

    private Tensor Focal(Tape tape, Tensor logits)
    {
        if (Has("labels"))
        {
            var labels = Integers("labels");
            if (!Has("alpha"))
                return tape.FocalLoss(logits, labels, [], Number("gamma"));
            var weights = labels.Select(label => Floats("alpha")[label]).ToArray();
            return tape.Scale(tape.FocalLoss(logits, labels, weights, Number("gamma")), weights.Sum() / labels.Length);
        }

        var loss = BinaryFocal(tape, logits, Floats("targets"));
        return Reduction == "mean" ? loss : tape.Scale(loss, logits.Length);
    }

    private Tensor BinaryFocal(Tape tape, Tensor logits, float[] targets) =>
        tape.BinaryFocalLoss(logits, targets, [], Number("gamma"), Number("alpha") < 0 ? null : Number("alpha"));

    private Tensor RDrop(Tape tape, Tensor first, Tensor second)
    {
        var labels = Integers("labels");
        var entropy = tape.Add(tape.CrossEntropy(first, labels, []), tape.CrossEntropy(second, labels, []));
        return tape.Add(tape.Scale(entropy, 0.5f), tape.Scale(Divergence.Symmetric(tape, first, second), Number("alpha")));
    }

    private Tensor Regression(Tape tape, Tensor predictions)
    {
        var targets = Floats("targets");
        if (_parameters.TryGetProperty("delta", out _))
            return tape.HuberError(predictions, targets, [], Number("delta"));
        if (_parameters.TryGetProperty("beta", out _))
            return tape.Scale(tape.HuberError(predictions, targets, [], Number("beta")), 1f / Number("beta"));
        float[] quantiles = Has("quantiles") ? Floats("quantiles") : [Number("quantile")];
        return tape.QuantileError(
            predictions, [.. targets.SelectMany(target => Enumerable.Repeat(target, quantiles.Length))], [], quantiles);
    }

    /// <summary>The losses of single rows or elements.</summary>
    private float[] Unreduced(Engine engine)
    {
        var (logits, columns) = (Floats("logits"), MatrixShape("logits")[1]);
        using var tape = engine.BeginTape(training: false);
        if (Has("targets"))
        {
            return [.. logits.Zip(
                Floats("targets"), (logit, target) => BinaryFocal(tape, tape.Constant([logit], 1, 1), [target]).ToArray()[0])];
        }

        return [.. Integers("labels").Select((label, row) => label == (int)Number("ignore_index")
            ? 0f
            : CrossEntropy(tape, tape.Constant(logits.AsSpan(row * columns, columns), 1, columns), [label], isMean: false).ToArray()[0])];
    }

    private float[] MovingAverages(Engine engine)
    {
        var steps = _inputs.GetProperty("weights_after_each_step").EnumerateArray().Select(step => Array.ConvertAll(Numbers(step), x => (float)x));
        var width = steps.First().Length;
        var parameter = engine.CreateParameter("w", [width], Has("initial") ? Floats("initial") : new float[width]);
        var warmsUp = _parameters.TryGetProperty("warm_up", out var warmUp) && warmUp.GetBoolean();
        var average = new WeightAverage([parameter], Number("decay"), startsAtFirstUpdate: !Has("initial"), warmsUp);
        var values = new List<float>();
        foreach (var step in steps)
        {
            parameter.Value.CopyFrom(step);
            average.Update();
            values.AddRange(average.Averages[0]);
        }

        return [.. values];
    }

    private static float[] GradientOf(Tensor tensor)
    {
        var gradient = new float[tensor.Length];
        tensor.CopyGradientTo(gradient);
        return gradient;
    }

    private bool Has(string input) => _inputs.TryGetProperty(input, out _);

    private float Number(string parameter) => _parameters.GetProperty(parameter).GetSingle();

    private float[] Floats(string input) => Array.ConvertAll(Numbers(_inputs.GetProperty(input)), x => (float)x);

    private int[] Integers(string input) => Array.ConvertAll(Numbers(_inputs.GetProperty(input)), x => (int)x);

    /// <summary>Rows and columns of an input; a list is a column.</summary>
    private int[] MatrixShape(string input)
    {
        var values = _inputs.GetProperty(input);
        return [values.GetArrayLength(), values[0].ValueKind == JsonValueKind.Array ? values[0].GetArrayLength() : 1];
    }

    private static double[] Numbers(JsonElement values) =>
        values.ValueKind == JsonValueKind.Array ? [.. values.EnumerateArray().SelectMany(Numbers)] : [values.GetDouble()];
}
