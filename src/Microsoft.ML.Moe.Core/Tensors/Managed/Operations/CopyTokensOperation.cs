using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Tokens times the sum of their pairs' weights, y_t = w_t·x_t. Gradients: dx_t = w_t·dy_t, and ⟨dy_t, x_t⟩ for each pair's weight.
/// </summary>
internal static unsafe class CopyTokensOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor xTD, ManagedTensor weightsP, RoutingPlan plan)
    {
        Check.Rank(xTD, 2);
        Check.Shape(xTD, [plan.Tokens, xTD.Columns]);
        Check.Shape(weightsP, [plan.Pairs]);
        Check.Plan(plan);
        var result = tape.Result(xTD.RequiresGradient || weightsP.RequiresGradient, xTD.Shape);
        var width = xTD.Columns;
        var weightsT = (result.RequiresGradient ? tape.Memory : tape.Scratch).Allocate(plan.Tokens);
        for (var token = 0; token < plan.Tokens; token++)
        {
            weightsT[token] = 0f;
            foreach (var pair in plan.ByToken.Of(token))
                weightsT[token] += weightsP.Data[pair];
        }

        var kernels = tape.Kernels;
        var x = xTD.Data;
        var y = result.Data;
        Blocks.RunRows(tape, plan.Tokens, width, (first, count) =>
        {
            for (var token = first; token < first + count; token++)
                kernels.Scale(weightsT[token], x + (long)token * width, y + (long)token * width, width);
        });
        tape.Record(result, () => Backward(tape, xTD, weightsP, plan, result, weightsT));
        return result;
    }

    private static void Backward(
        ManagedTape tape, ManagedTensor xTD, ManagedTensor weightsP, RoutingPlan plan, ManagedTensor result, float* weightsT)
    {
        var kernels = tape.Kernels;
        var width = xTD.Columns;
        var x = xTD.Data;
        var dY = result.Gradient;
        var dX = xTD.RequiresGradient ? xTD.GradientToAdd() : null;
        var dWeights = weightsP.RequiresGradient ? weightsP.GradientToAdd() : null;
        Blocks.RunRows(tape, plan.Tokens, width, (first, count) =>
        {
            for (var token = first; token < first + count; token++)
            {
                var start = (long)token * width;
                if (dX != null)
                    kernels.AddScaled(weightsT[token], dY + start, dX + start, width);
                if (dWeights == null)
                    continue;
                foreach (var pair in plan.ByToken.Of(token))
                    dWeights[pair] += kernels.Dot(dY + start, x + start, width);
            }
        });
    }
}
