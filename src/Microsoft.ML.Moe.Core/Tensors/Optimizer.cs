using Microsoft.ML.Moe.Files;

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
    float Epsilon = 1e-8f)
{
    /// <summary>
    /// Whether a parameter that no gradient has reached since the last step stays as it is, and each expert of stacked ones for itself: no
    /// decay, the same moments, the same number of steps, as with torch's optimisers. Otherwise such a gradient is zeros. Default false.
    /// </summary>
    public bool SkipsWithoutGradient { get; init; }
}

/// <summary>
/// AdamW (Loshchilov &amp; Hutter 2019, "Decoupled weight decay regularization", algorithm 2). Parameters with sparse rows take
/// row-lazy steps: only the rows touched since the last step change, bias correction counts each row's own steps.
/// </summary>
public abstract class Optimizer : IDisposable
{
    /// <summary>What clipping adds to the norm that it divides by, as torch does.</summary>
    internal const float ClippingEpsilon = 1e-6f;

    /// <summary>
    /// Norm of the gradients that <see cref="ClipGradients"/> has found last, before scaling: not finite when a gradient was not, 0 before
    /// the first call. Waits for the device that computes it.
    /// </summary>
    public abstract float GradientNorm { get; }

    /// <summary>
    /// Scales all dense gradients so that their joint Euclidean norm is at most <paramref name="maxNorm"/>, by min(1, maxNorm/(norm + 1e-6));
    /// frozen parameters have no part in it. Waits for no device. If
    /// <see cref="GradientNorm"/> is not finite, the gradients are of no use, neither before nor after.
    /// </summary>
    /// <param name="maxNorm">Largest norm allowed, over 0; <see cref="float.PositiveInfinity"/> only measures.</param>
    public abstract void ClipGradients(float maxNorm);

    /// <summary>Updates the parameters from their gradients and sets the gradients to zero. Waits for no device.</summary>
    /// <param name="learningRateFactor">The schedule's factor, usually within [0, 1].</param>
    public abstract void Step(float learningRateFactor);

    /// <summary>Sets all gradients to zero without a step.</summary>
    public abstract void ClearGradients();

    /// <summary>What the optimiser remembers of its steps, to go on later as if nothing had happened.</summary>
    /// <returns>
    /// For each parameter that has taken a step its moments, <c>NAME.first</c> and <c>NAME.second</c> in the parameter's shape, and the
    /// number of its steps, <c>NAME.steps</c>: [1], or [V] with sparse rows, or [E] of stacked experts that may be skipped. The same in form
    /// from every engine.
    /// </returns>
    public abstract IReadOnlyList<NamedValues> GetState();

    /// <summary><see cref="GetState"/>, to be written: each part is copied when it is asked for, before the next step.</summary>
    internal virtual IEnumerable<SavedTensor> SaveState() => GetState().Select(values => SavedTensor.Of(values));

    /// <summary>Takes up what <see cref="GetState"/> of an optimiser over parameters of the same names and shapes has given.</summary>
    /// <param name="state">The state, by name; more may be in there.</param>
    /// <exception cref="ArgumentException">It does not fit the parameters; the message names the first that it does not fit.</exception>
    public abstract void SetState(IReadOnlyDictionary<string, NamedValues> state);

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
