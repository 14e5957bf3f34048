namespace Microsoft.ML.Moe.Tensors;

/// <summary>Parameters that share optimiser settings.</summary>
/// <param name="Parameters">The parameters.</param>
/// <param name="LearningRate">Peak learning rate; multiplied by the schedule's factor at each step.</param>
/// <param name="WeightDecay">Decoupled weight decay: each step multiplies touched weights by 1 − rate·decay.</param>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to the root of the second moment.</param>
public sealed record ParameterGroup(
    IReadOnlyList<Parameter> Parameters,
    float LearningRate,
    float WeightDecay = 0f,
    float Beta1 = 0.9f,
    float Beta2 = 0.999f,
    float Epsilon = 1e-8f);

/// <summary>
/// AdamW (Loshchilov &amp; Hutter 2019, "Decoupled weight decay regularization", algorithm 2). Parameters with sparse rows take
/// row-lazy steps: only the rows touched since the last step change, bias correction counts each row's own steps.
/// </summary>
public abstract class Optimizer : IDisposable
{
    /// <summary>Scales all dense gradients so that their joint Euclidean norm is at most <paramref name="maxNorm"/>.</summary>
    /// <param name="maxNorm">Largest norm allowed, over 0; <see cref="float.PositiveInfinity"/> only measures.</param>
    /// <returns>The norm before scaling; not finite when a gradient is not.</returns>
    public abstract float ClipGradients(float maxNorm);

    /// <summary>Updates the parameters from their gradients and sets the gradients to zero.</summary>
    /// <param name="learningRateFactor">The schedule's factor, usually within [0, 1].</param>
    public abstract void Step(float learningRateFactor);

    /// <summary>Sets all gradients to zero without a step.</summary>
    public abstract void ClearGradients();

    /// <summary>Releases the moments.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases what the optimiser holds.</summary>
    /// <param name="disposing">Whether called from <see cref="Dispose()"/>.</param>
    protected abstract void Dispose(bool disposing);
}
