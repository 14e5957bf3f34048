using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>Goldens of Soft MoE, with experts tanh(v·W).</summary>
internal static class GoldenSoftMixture
{
    public static void Check(Engine engine, GoldenRouterFile file)
    {
        var (experts, slots) = (file.Int("experts", 1), file.Int("slotsPerExpert", 1));
        var (layout, width) = (file.Layout(file["X"]), GoldenRouterFile.Shape(file["X"])[^1]);
        var x = Make("X", layout.Tokens, width);
        var w = Make("W", experts, width, width);
        var identity = new float[experts * width * width];
        for (var i = 0; i < experts * width; i++)
            identity[i * width + i % width] = 1f;

        var store = new ParameterStore(engine, (_, _) => GoldenRouterFile.Numbers(file["Phi"]));
        using var tape = engine.BeginTape(training: true);
        var layer = new SoftMoeLayer(
            store, "moe", width, new Experts(w.Value, null, tape.Constant(identity, experts, width, width), null, Activation.Tanh), slots);
        var y = layer.Forward(new ForwardContext(tape, layout), x.Value);
        var expected = file.Part("expected");
        GoldenRouterFile.AssertClose("Y", expected["Y"], y.ToArray());

        var weights = tape.Constant(GoldenRouterFile.Numbers(file["lossWeight"]), layout.Tokens, width);
        var loss = tape.Scale(tape.Mean(tape.Multiply(y, weights)), y.Length);
        GoldenRouterFile.AssertClose("loss", expected["loss"], loss.ToArray());
        tape.Backward(loss);
        CheckGradient("X", x);
        CheckGradient("W", w);
        CheckGradient("Phi", store.All.Single().Parameter);

        Parameter Make(string name, params int[] shape) =>
            engine.CreateParameter(name, shape, GoldenRouterFile.Numbers(file[name]), sparseRows: false);

        void CheckGradient(string name, Parameter parameter)
        {
            var gradient = new float[parameter.Value.Length];
            parameter.Value.CopyGradientTo(gradient);
            GoldenRouterFile.AssertClose("gradient of " + name, expected["grad." + name], gradient);
        }
    }
}
