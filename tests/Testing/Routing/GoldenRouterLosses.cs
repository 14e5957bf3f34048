using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>Goldens of router losses and their gradients. A name is a rule and, behind a dot, the layers it is of.</summary>
internal static class GoldenRouterLosses
{
    public static void Check(Engine engine, GoldenRouterFile file)
    {
        var layers = file["logits"].AsArray().Select(layer => layer!).ToArray();
        var layout = file.Layout(layers[0]);
        var shape = GoldenRouterFile.Shape(layers[0]);
        foreach (var (name, expected) in file["expected"].AsObject())
        {
            var parts = name.Split('.', 2);
            var parameters = layers.Select((layer, i) => engine.CreateParameter(
                $"{name}{i}", [layout.Tokens, shape[^1]], GoldenRouterFile.Numbers(layer), sparseRows: false)).ToArray();
            using var tape = engine.BeginTape(training: true);
            var logits = parameters.Select(p => p.Value).ToArray();
            var loss = Loss(tape, parts[0], parts[1] == "both_layers" ? logits : [logits[int.Parse(parts[1]["layer".Length..])]]);
            GoldenRouterFile.AssertClose(name, expected!["value"]!, loss.ToArray());
            tape.Backward(loss);
            for (var layer = 0; layer < logits.Length; layer++)
            {
                // null where the loss is not of the layer
                if (expected["grad.logits"]![layer] is not { } expectedGradient)
                    continue;
                var gradient = new float[logits[layer].Length];
                logits[layer].CopyGradientTo(gradient);
                GoldenRouterFile.AssertClose($"gradient of {name} in layer {layer}", expectedGradient, gradient);
            }
        }

        Tensor OfLayers(Tape tape, Tensor[] logits)
        {
            var balancing = new LayersBalancing();
            var policy = new TokenChoice(file.Int("expertsPerToken", 2), normalizeWeights: false);
            foreach (var (block, tensor) in logits.Index())
                balancing.OnRouted(new RoutedLayer(block, tape, tensor, tensor, tape.Route(tensor, policy, layout), layout, null!));
            return balancing.Loss(tape)!;
        }

        Tensor Loss(Tape tape, string rule, Tensor[] logits) => rule switch
        {
            "switch_load_balance" => tape.LoadBalancingLoss(logits[0], layout),
            "gshard_load_balance_per_sequence" => RouterLosses.OfSequences(tape, logits[0], layout),
            "mixtral_load_balance" => OfLayers(tape, logits),
            "z_loss" => tape.RouterZLoss(logits[0], layout),
            "importance_cv2" => RouterLosses.Importance(tape, logits[0], layout),
            "load_cv2" => RouterLosses.Load(tape, logits[0], layout, file.Int("expertsPerToken", 2)),
            "entropy_mean_eps1e-5" => RouterLosses.Entropy(tape, logits[0], layout),
            _ => throw new NotSupportedException($"The golden has a loss '{rule}'."),
        };
    }
}
