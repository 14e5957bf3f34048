using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>
/// The layer that USMoE's program trains from scratch, whose groups are the time steps of a batch: output, scores, selection and all gradients,
/// on any engine; every folder <c>papers/usmoe-train*</c> of the goldens.
/// </summary>
[Trait("Category", "Goldens")]
public abstract class GoldenUnifiedLayerTests
{
    private const string None = "";

    public static TheoryData<string> Folders
    {
        get
        {
            var folders = Goldens.Folders("papers")
                .Where(folder => Path.GetFileName(folder).StartsWith("usmoe-train", StringComparison.Ordinal)).ToList();
            return [.. folders.Count == 0 ? [None] : folders];
        }
    }

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void AgreesWithTheReleasedProgram(string folder)
    {
        Skip.If(folder == None, "There are no goldens of USMoE's layer: see MLNETMOE_GOLDENS.");
        using var golden = GoldenModel.Open(folder);
        using var engine = CreateEngine();
        foreach (var @case in golden.Json.GetProperty("cases").EnumerateObject())
        {
            var alpha = @case.Value.GetProperty("alpha").GetDouble();
            var isNormalized = @case.Value.GetProperty("norm_topk_prob").GetBoolean();
            var router = Router.Unified(
                @case.Value.GetProperty("k").GetDouble(),
                alpha,
                RoutingScope.TimeStep,
                isNormalized ? WeightNormalization.All : WeightNormalization.None);
            var isPreNorm = @case.Value.GetProperty("note").GetString()!.StartsWith("pre", StringComparison.Ordinal);
            new Layer(engine, golden, @case.Name).Check(router, isPreNorm);
        }
    }

    private sealed class Layer
    {
        private readonly Engine _engine;
        private readonly GoldenModel _golden;
        private readonly string _case;
        private readonly (int Times, int Rows, int Width) _size;
        private readonly int _count;
        private readonly int _hidden;
        private readonly Parameter _x;
        private readonly Parameter _routerDE;
        private readonly Parameter _w1EDF;
        private readonly Parameter _w2EFD;
        private readonly Parameter _gain;
        private readonly Parameter _bias;

        public Layer(Engine engine, GoldenModel golden, string @case)
        {
            (_engine, _golden, _case) = (engine, golden, @case);
            var (_, shape) = Input("inp");
            _size = (shape[0], shape[1], shape[2]);
            (_count, _hidden) = (Tensor("weights.gate.weight").Shape[0], Tensor("weights.experts.0.htoh4.weight").Shape[0]);
            _x = Make("inp", ByRow(Input("inp").Values), _size.Times * _size.Rows, _size.Width);
            _routerDE = Make("gate", GoldenNumbers.Transposed(Tensor("weights.gate.weight").Values, _size.Width), _size.Width, _count);
            _w1EDF = Make("w1", Stacked("weights", "htoh4", _size.Width), _count, _size.Width, _hidden);
            _w2EFD = Make("w2", Stacked("weights", "h4toh", _hidden), _count, _hidden, _size.Width);
            _gain = Make("gain", Tensor("weights.layer_norm.weight").Values, _size.Width);
            _bias = Make("bias", Tensor("weights.layer_norm.bias").Values, _size.Width);
        }

        public void Check(Router router, bool isPreNorm)
        {
            var layout = new SequenceLayout([.. Enumerable.Range(0, _size.Rows + 1).Select(row => row * _size.Times)]);
            using var tape = _engine.BeginTape(training: true);
            var x = isPreNorm ? Norm(_x.Value) : _x.Value;
            var logitsTE = tape.RouterLogits(x, _routerDE.Value);
            var plan = tape.Route(logitsTE, router.CreatePolicy(), layout);
            var weightsP = tape.CombineWeights(logitsTE, plan);
            var experts = new Experts(_w1EDF.Value, null, _w2EFD.Value, null, Activation.Relu);
            var sum = tape.Add(_x.Value, tape.GroupedExperts(x, weightsP, plan, experts));
            var y = isPreNorm ? sum : Norm(sum);
            var lossWeights = tape.Constant(ByRow(Input("loss_weight").Values), _size.Times * _size.Rows, _size.Width);
            var loss = tape.Scale(tape.Mean(tape.Multiply(y, lossWeights)), y.Length);

            Close(ByRow(Tensor($"{_case}.output").Values), y.ToArray(), "output");
            CheckPairs(plan, weightsP.ToArray(), router.Normalization == WeightNormalization.All);
            GoldenNumbers.Close(_golden.Scalar($"{_case}.loss")!.Value, loss.ToArray()[0], 1, $"{_case}: loss");
            tape.Backward(loss);
            Close(ByRow(Gradient("inp").Values), Of(_x), "gradient of inp");
            Close(GoldenNumbers.Transposed(Gradient("gate.weight").Values, _size.Width), Of(_routerDE), "gradient of gate");
            Close(Stacked($"{_case}.grad", "htoh4", _size.Width), Of(_w1EDF), "gradient of htoh4");
            Close(Stacked($"{_case}.grad", "h4toh", _hidden), Of(_w2EFD), "gradient of h4toh");
            Close(Gradient("layer_norm.weight").Values, Of(_gain), "gradient of the norm's gain");
            Close(Gradient("layer_norm.bias").Values, Of(_bias), "gradient of the norm's bias");

            Tensor Norm(Tensor value) => tape.LayerNorm(value, _gain.Value, _bias.Value);
        }

        private void CheckPairs(RoutingPlan plan, float[] weightsP, bool isNormalized)
        {
            var selected = ByRow(Tensor($"{_case}.selected").Values);
            var scores = ByRow(Tensor($"{_case}.unified").Values);
            var expected = Enumerable.Range(0, selected.Length).Where(i => selected[i] != 0).ToList();
            var pairs = GoldenRouterPairs.PairsOf(plan, weightsP).ToList();
            Assert.Equal(expected, pairs.Select(p => p.Token * _count + p.Expert));
            // the scores are those before they are normalised
            Close([.. expected.Select(i => scores[i] / (isNormalized ? Sum(i / _count) : 1))], [.. pairs.Select(p => p.Weight)], "weights");

            float Sum(int token) => scores.AsSpan(token * _count, _count).ToArray().Sum();
        }

        private (float[] Values, int[] Shape) Tensor(string name) =>
            _golden.Tensor(name) ?? throw new InvalidDataException($"The golden has no tensor '{name}'.");

        // an input of the case, or of all of them
        private (float[] Values, int[] Shape) Input(string name) => _golden.Tensor($"{_case}.{name}") ?? Tensor(name);

        private (float[] Values, int[] Shape) Gradient(string name) => Tensor($"{_case}.grad.{name}");

        private Parameter Make(string name, float[] values, params int[] shape) =>
            _engine.CreateParameter(_case + name, shape, values, sparseRows: false);

        private static float[] Of(Parameter parameter)
        {
            var gradient = new float[parameter.Value.Length];
            parameter.Value.CopyGradientTo(gradient);
            return gradient;
        }

        private void Close(float[] expected, float[] actual, string what) => GoldenNumbers.Close(expected, actual, $"{_case}: {what}");

        /// <summary>All experts' matrices [out, in] as one [E, in, out].</summary>
        private float[] Stacked(string prefix, string matrix, int inputs) =>
        [
            .. Enumerable.Range(0, _count)
                .SelectMany(e => GoldenNumbers.Transposed(Tensor($"{prefix}.experts.{e}.{matrix}.weight").Values, inputs)),
        ];

        /// <summary>[time, row, columns] → [row, time, columns].</summary>
        private float[] ByRow(float[] values)
        {
            var columns = values.Length / (_size.Times * _size.Rows);
            var result = new float[values.Length];
            for (var time = 0; time < _size.Times; time++)
                for (var row = 0; row < _size.Rows; row++)
                    values.AsSpan((time * _size.Rows + row) * columns, columns).CopyTo(result.AsSpan((row * _size.Times + time) * columns));
            return result;
        }
    }
}
