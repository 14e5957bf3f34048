using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// Experts over a routing plan: the rows of the pairs go through the experts' products, in the way that <see cref="ExpertWayChoice"/>
/// finds fastest, and are summed by token.
/// </summary>
internal static class GroupedExpertsOperation
{
    public static TorchTensor Forward(
        TorchTape tape, TorchTensor xTD, TorchTensor weightsP, RoutingPlan plan, ExpertTensors experts) =>
        tape.Run(() =>
        {
            var pairs = tape.Pairs(plan);
            if (pairs.Count == 0)
                return torch.zeros([plan.Tokens, experts.Width], device: tape.Device).Plus(xTD.Value.narrow(0, 0, 0).sum());
            experts.Touch(pairs.EndOfE);
            return Sum(tape, Run(tape, xTD.ValueAs(tape.ProductType), pairs, experts).As(torch.ScalarType.Float32), weightsP, plan);
        });

    /// <summary>Sums of the pairs' rows by token, weighted.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="yPD">[P, D], in single precision.</param>
    /// <param name="weightsP">[P].</param>
    /// <param name="plan">The pairs.</param>
    /// <returns>[T, D].</returns>
    public static torch.Tensor Sum(TorchTape tape, torch.Tensor yPD, TorchTensor weightsP, RoutingPlan plan) =>
        torch.zeros([plan.Tokens, yPD.shape[1]], device: tape.Device)
            .index_add(0, tape.Pairs(plan).TokenOfPair, yPD.mul(weightsP.Value.unsqueeze(1)), Scalars.Of(1f));

    private static torch.Tensor Run(TorchTape tape, torch.Tensor xTD, ExpertPairs pairs, ExpertTensors experts)
    {
        var way = tape.Engine.ExpertWay ?? Choose(xTD, pairs, experts);
        return way switch
        {
            ExpertWay.OneByOne => ExpertByExpert.Run(xTD, pairs, experts),
            ExpertWay.PaddedToBusiest => PaddedExperts.ToBusiest(xTD, pairs, experts),
            ExpertWay.PaddedToTokens => PaddedExperts.ToTokens(xTD, pairs, experts),
            ExpertWay.Gathered => GatheredExperts.Run(xTD, pairs, experts),
            ExpertWay.Grouped => GroupedExperts.Run(xTD, pairs, experts),
            _ => throw new InvalidOperationException($"No such way to run experts: {way}."),
        };
    }

    private static ExpertWay Choose(torch.Tensor xTD, ExpertPairs pairs, ExpertTensors experts)
    {
        var (device, type) = (xTD.device, xTD.dtype);
        // Moves and multiplies what must be, in one launch, and asks nothing.
        if (type == torch.ScalarType.BFloat16
            && GroupedProduct.IsOneLaunch(device)
            && GroupedProduct.Fits(experts.Width)
            && GroupedProduct.Fits(experts.HiddenWidth)
            && GroupedProduct.Works(device))
        {
            return ExpertWay.Grouped;
        }

        var work = new ExpertWork(
            (int)xTD.shape[0],
            pairs.Count,
            experts.Count,
            experts.Width,
            experts.HiddenWidth,
            Matrices: experts.Gate is null ? 2 : 3,
            NumberSize: type == torch.ScalarType.BFloat16 ? sizeof(ushort) : sizeof(float));
        return new ExpertWayChoice(work, DeviceCosts.Of(device.type, type), pairs.Rows, pairs.AreRowsKnown).Best();
    }
}
