using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors.Managed;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// Experts over a routing plan: the rows of the pairs are gathered in the order of the experts, go through the experts' products, and
/// are summed by token. The products are one batched product over experts padded to S rows each, or one product an expert where that
/// would mostly multiply padding.
/// </summary>
internal static class GroupedExpertsOperation
{
    public static TorchTensor Forward(
        TorchTape tape, TorchTensor xTD, TorchTensor weightsP, RoutingPlan plan, ExpertTensors experts)
    {
        experts.CheckShapes();
        Check.Shape(xTD, [plan.Tokens, experts.Width]);
        Check.Shape(weightsP, [plan.Pairs]);
        Check.Plan(plan);
        if (plan.Experts != experts.Count)
            throw new ArgumentException($"A plan for {plan.Experts} experts does not fit {experts.Count} experts.", nameof(plan));
        return tape.Run(() =>
        {
            var pairs = tape.Pairs(plan);
            var zerosTD = torch.zeros([plan.Tokens, experts.Width], device: tape.Device);
            if (pairs.Count == 0)
                return zerosTD.add(xTD.Value.narrow(0, 0, 0).sum());
            var outPD = pairs.IsPadded
                ? Padded(xTD.ValueAs(tape.ProductType), pairs, experts)
                : ExpertByExpert(xTD.ValueAs(tape.ProductType), pairs, experts);
            var weightedPD = outPD.As(torch.ScalarType.Float32).mul(weightsP.Value.unsqueeze(1));
            return zerosTD.index_add(0, pairs.TokenOfPair, weightedPD, Scalars.Of(1f));
        });
    }

    private static torch.Tensor Padded(torch.Tensor xTD, ExpertPairs pairs, ExpertTensors experts)
    {
        var (w1EDF, b1EF, w2EFD, b2ED, gateEDF) = experts.ValuesAs(xTD.dtype);
        var xESD = xTD.index_select(0, pairs.TokenOfSlot!).reshape(experts.Count, pairs.Largest, experts.Width);
        var hiddenESF = xESD.bmm(w1EDF);
        if (b1EF is not null)
            hiddenESF = hiddenESF.add(b1EF.unsqueeze(1));
        hiddenESF = hiddenESF.Apply(experts.Activation);
        if (gateEDF is not null)
            hiddenESF = hiddenESF.mul(xESD.bmm(gateEDF));
        var outESD = hiddenESF.bmm(w2EFD);
        if (b2ED is not null)
            outESD = outESD.add(b2ED.unsqueeze(1));
        return outESD.reshape((long)experts.Count * pairs.Largest, experts.Width).index_select(0, pairs.SlotOfPair!);
    }

    private static torch.Tensor ExpertByExpert(torch.Tensor xTD, ExpertPairs pairs, ExpertTensors experts)
    {
        // Unbound once: the gradient of each slice by itself would be as large as the whole.
        var xPD = xTD.index_select(0, pairs.TokenOfPair);
        var (w1EDF, b1EF, w2EFD, b2ED, gateEDF) = experts.ValuesAs(xTD.dtype);
        var (w1, w2) = (w1EDF.unbind(0), w2EFD.unbind(0));
        var (b1, b2, gate) = (b1EF?.unbind(0), b2ED?.unbind(0), gateEDF?.unbind(0));
        var parts = new List<torch.Tensor>(experts.Count);
        for (var expert = 0; expert < experts.Count; expert++)
        {
            if (pairs.Rows(expert) == 0)
                continue;
            var xND = xPD.narrow(0, pairs.First(expert), pairs.Rows(expert));
            var hiddenNF = Product(xND, w1[expert], b1?[expert]).Apply(experts.Activation);
            if (gate is not null)
                hiddenNF = hiddenNF.mul(xND.mm(gate[expert]));
            parts.Add(Product(hiddenNF, w2[expert], b2?[expert]));
        }

        return ConcatOperation.Join(parts, 0);
    }

    private static torch.Tensor Product(torch.Tensor x, torch.Tensor weight, torch.Tensor? bias) =>
        bias is null ? x.mm(weight) : bias.addmm(x, weight);
}
