using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// Lets a policy choose: on a GPU where it can (<see cref="Selection"/>), so that the host need not wait for the logits, else on the
/// host.
/// </summary>
internal static class RouteOperation
{
    public static RoutingPlan Forward(
        TorchTape tape, TorchTensor logitsTE, RoutingPolicy policy, SequenceLayout layout, TorchTensor? choiceBiasE)
    {
        var selected = layout.Tokens == 0 || !tape.Engine.ChoosesOnDevice
            ? null
            : tape.InScope(() => Select(tape, logitsTE, choiceBiasE, policy, layout));
        if (selected is not var (pairs, weights))
        {
            return policy.PlanOf(
                logitsTE.ToArray(), choiceBiasE is null ? [] : choiceBiasE.ToArray(), logitsTE.Columns, layout, tape.IsTraining);
        }


        var plan = new RoutingPlan(layout.Tokens, logitsTE.Columns, pairs.Count, weights, () => pairs.ToPlan(weights));
        tape.Add(plan, pairs);
        return plan;
    }

    private static (ExpertPairs Pairs, CombineRule Weights)? Select(
        TorchTape tape, TorchTensor logitsTE, TorchTensor? choiceBiasE, RoutingPolicy policy, SequenceLayout layout) =>
        Selection.Of(tape, logitsTE.Value.detach(), choiceBiasE?.Value.detach(), policy, layout) is { } selection
            ? (new ExpertPairs(tape, selection), selection.Weights)
            : null;
}
