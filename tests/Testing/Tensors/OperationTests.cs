using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>
/// What every engine must do, operation by operation: forward equal to a plain double loop, gradients equal to finite differences.
/// </summary>
public abstract partial class OperationTests
{
    /// <summary>Creates the engine under test.</summary>
    protected abstract Engine CreateEngine();

    /// <summary>Runs a function of parameters without recording and returns the values.</summary>
    private static float[] Forward(Engine engine, Func<Tape, Tensor[], Tensor> function, params Input[] inputs)
    {
        var tensors = inputs
            .Select((input, i) => engine.CreateParameter($"input{i}", input.Shape, input.Values, input.SparseRows).Value)
            .ToArray();
        using var tape = engine.BeginTape(training: false);
        var y = function(tape, tensors);
        Assert.False(y.RequiresGradient);
        return y.ToArray();
    }
}
