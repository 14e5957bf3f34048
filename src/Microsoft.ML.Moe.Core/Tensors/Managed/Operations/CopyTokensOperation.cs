using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Tokens times the sum of their pairs' weights, y_t = w_t·x_t. Gradients: dx_t = w_t·dy_t, and ⟨dy_t, x_t⟩ for each pair's weight.
/// </summary>
internal readonly unsafe struct CopyTokensOperation(
    ManagedTensor xTD, ManagedTensor weightsP, RoutingPlan plan, float* weightsT, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor xTD, ManagedTensor weightsP, RoutingPlan plan)
    {
        var result = tape.Result(xTD.RequiresGradient || weightsP.RequiresGradient, xTD.Shape);
        var weightsT = (result.RequiresGradient ? tape.Memory : tape.Scratch).Allocate(plan.Tokens);
        for (var token = 0; token < plan.Tokens; token++)
        {
            weightsT[token] = 0f;
            foreach (var pair in plan.ByToken.Of(token))
                weightsT[token] += weightsP.Data[pair];
        }

        Blocks.RunRows(tape, plan.Tokens, xTD.Columns, new Copies(tape.Kernels, xTD.Columns, weightsT, xTD.Data, result.Data));
        tape.Record(result, new CopyTokensOperation(xTD, weightsP, plan, weightsT, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var dX = xTD.RequiresGradient ? xTD.GradientToAdd() : null;
        var dWeights = weightsP.RequiresGradient ? weightsP.GradientToAdd() : null;
        var body = new Gradient(tape.Kernels, xTD.Columns, weightsT, plan.ByToken, xTD.Data, result.Gradient, dX, dWeights);
        Blocks.RunRows(tape, plan.Tokens, xTD.Columns, body);
    }

    private readonly struct Copies(Kernels kernels, int width, float* weightsT, float* x, float* y) : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var token = first; token < first + count; token++)
                kernels.Scale(weightsT[token], x + (long)token * width, y + (long)token * width, width);
        }
    }

    private readonly struct Gradient(
        Kernels kernels, int width, float* weightsT, TokenPairs pairs, float* x, float* dY, float* dX, float* dWeights) : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var token = first; token < first + count; token++)
            {
                var start = (long)token * width;
                if (dX != null)
                    kernels.AddScaled(weightsT[token], dY + start, dX + start, width);
                if (dWeights == null)
                    continue;
                foreach (var pair in pairs.Of(token))
                    dWeights[pair] += kernels.Dot(dY + start, x + start, width);
            }
        }
    }
}
