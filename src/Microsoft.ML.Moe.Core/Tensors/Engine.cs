namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Where tensors live and operations run. Models are written once against <see cref="Tape"/>'s operations and run on any engine;
/// a model trained on one engine predicts the same on another. An engine may be used from several threads at once, each with a
/// tape of its own; training (backward passes, optimiser steps) of one model is done by one thread at a time.
/// </summary>
public abstract class Engine : IDisposable
{
    /// <summary>What this engine is and runs on, for logs: <c>managed, 2 threads, AVX-512</c>.</summary>
    public abstract string Description { get; }

    /// <summary>
    /// The most memory, in bytes, that the engine has held at once for what tapes make: results, gradients and scratch memory, without
    /// parameters, their gradients and optimisers. null where the engine cannot know. Default null.
    /// </summary>
    public virtual long? PeakMemory => null;

    /// <summary>Creates a trainable tensor.</summary>
    /// <param name="name">Name within the model.</param>
    /// <param name="shape">Sizes of the dimensions.</param>
    /// <param name="values">Initial values, row-major; as many as the shape asks for.</param>
    /// <param name="sparseRows">Whether gradients touch few rows of the first dimension at a time (embedding tables).</param>
    /// <returns>The parameter; its gradient starts at zero.</returns>
    public abstract Parameter CreateParameter(string name, ReadOnlySpan<int> shape, ReadOnlySpan<float> values, bool sparseRows = false);

    /// <summary>
    /// A parameter over the same values, whose matrix products in inference are of a precision; the parameter itself where the engine
    /// has no other.
    /// </summary>
    internal virtual Parameter InPrecision(Parameter parameter, InferencePrecision precision) => parameter;

    /// <summary>Starts a forward pass.</summary>
    /// <param name="training">
    /// true: operations are recorded for <see cref="Tape.Backward"/> and dropout is active; false: nothing is kept.
    /// </param>
    /// <param name="seed">Seeds the tape's random numbers (dropout). The same seed gives the same numbers on the same engine.</param>
    public abstract Tape BeginTape(bool training, ulong seed = 0);

    /// <summary>
    /// As <see cref="BeginTape"/>, for callers in this library who hold nothing that the tape has made once they dispose of it, once:
    /// tape, tensors and plans are then used again for the next, so that a step leaves nothing to the garbage collector. A tensor held
    /// longer would silently be another one, which is why all that anyone outside may hold comes from <see cref="BeginTape"/>.
    /// </summary>
    /// <param name="training">See there.</param>
    /// <param name="seed">See there.</param>
    internal virtual Tape LeaseTape(bool training, ulong seed = 0) => BeginTape(training, seed);

    /// <summary>Creates an AdamW optimiser over parameters of this engine.</summary>
    /// <param name="groups">Parameters with their settings; each parameter in one group.</param>
    public abstract Optimizer CreateAdamW(IReadOnlyList<ParameterGroup> groups);

    /// <summary>Releases the engine's parameters, pools and threads.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases what the engine holds.</summary>
    /// <param name="disposing">Whether called from <see cref="Dispose()"/>.</param>
    protected abstract void Dispose(bool disposing);
}
