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
            var gradients = new List<float>();
            foreach (var tensor in logits)
            {
                var gradient = new float[tensor.Length];
                tensor.CopyGradientTo(gradient);
                gradients.AddRange(gradient);
            }

            GoldenRouterFile.AssertClose(name + "'s gradient", expected["grad.logits"]!, gradients.ToArray());
        }

        Tensor Loss(Tape tape, string rule, Tensor[] logits) => rule switch
        {
            "switch_load_balance" => tape.LoadBalancingLoss(logits[0], layout),
            "gshard_load_balance_per_sequence" => RouterLosses.OfSequences(tape, logits[0], layout),
            "mixtral_load_balance" => RouterLosses.TopK(tape, logits, layout, file.Int("expertsPerToken", 2)),
            "z_loss" => tape.RouterZLoss(logits[0], layout),
            "importance_cv2" => RouterLosses.Importance(tape, logits[0], layout),
            "load_cv2" => RouterLosses.Load(tape, logits[0], layout, file.Int("expertsPerToken", 2)),
            "entropy_mean_eps1e-5" => RouterLosses.Entropy(tape, logits[0], layout),
            _ => throw new NotSupportedException($"The golden has a loss '{rule}'."),
        };
    }
}
