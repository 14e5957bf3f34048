using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// y[t] = Σ over the token's pairs of w_p·x[p]. Gradients: dx[p] = w_p·dy[token of p], dw_p = ⟨dy[token of p], x[p]⟩.
/// </summary>
internal readonly unsafe struct SumPairsOperation(ManagedTensor xPD, ManagedTensor weightsP, int* tokenOfPair, ManagedTensor result)
    : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor xPD, ManagedTensor weightsP, RoutingPlan plan)
    {
        var result = tape.Result(xPD.RequiresGradient || weightsP.RequiresGradient, plan.Tokens, xPD.Columns);
        PairSums.Run(
            tape, plan.ByToken, plan.Tokens, plan.Pairs, xPD.Data, xPD.Columns, xPD.Columns, weightsP.Data, result.Data, accumulate: false);
        if (!result.RequiresGradient)
            return result;
        var tokenOfPair = tape.Memory.AllocateIntegers(plan.Pairs);
        plan.PairTokens.CopyTo(new Span<int>(tokenOfPair, plan.Pairs));
        tape.Record(result, new SumPairsOperation(xPD, weightsP, tokenOfPair, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var accumulate = false;
        var dX = xPD.RequiresGradient ? xPD.GradientToWrite(out accumulate) : null;
        var dWeights = weightsP.RequiresGradient ? weightsP.GradientToAdd() : null;
        var width = xPD.Columns;
        var body = new Gradient(tape.Kernels, width, tokenOfPair, xPD.Data, weightsP.Data, result.Gradient, dX, accumulate, dWeights);
        Blocks.RunRows(tape, xPD.Shape[0], width, body);
    }

    private readonly struct Gradient(
        Kernels kernels, int width, int* tokenOfPair, float* xPD, float* weightsP, float* dYTD, float* dXPD, bool accumulate, float* dWeightsP)
        : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var pair = first; pair < first + count; pair++)
            {
                var dY = dYTD + (long)tokenOfPair[pair] * width;
                var row = (long)pair * width;
                if (dWeightsP != null)
                    dWeightsP[pair] += kernels.Dot(dY, xPD + row, width);
                if (dXPD == null)
                    continue;
                if (accumulate)
                    kernels.AddScaled(weightsP[pair], dY, dXPD + row, width);
                else
                    kernels.Scale(weightsP[pair], dY, dXPD + row, width);
            }
        }
    }
}
