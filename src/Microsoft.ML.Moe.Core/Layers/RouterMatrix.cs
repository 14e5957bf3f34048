using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>The matrix of a router, perhaps with a bias and an adapter.</summary>
internal sealed class RouterMatrix
{
    private readonly Parameter _weightDE;
    private readonly Parameter? _biasE;
    private readonly Adapter? _adapter;

    /// <summary>Makes the parameters.</summary>
    /// <param name="store">Makes them.</param>
    /// <param name="name">Name of the matrix.</param>
    /// <param name="width">D.</param>
    /// <param name="experts">E.</param>
    /// <param name="biasName">Name of the bias; null for none.</param>
    public RouterMatrix(ParameterStore store, string name, int width, int experts, string? biasName = null)
    {
        _weightDE = store.Normal(name, ParameterRole.Router, 1f / MathF.Sqrt(width), width, experts);
        _biasE = biasName is null ? null : store.Constant(biasName, ParameterRole.Bias, 0f, experts);
        _adapter = store.AdapterOf(_weightDE, ParameterRole.Router);
    }

    /// <summary>Scores of the experts, [T, D] → [T, E].</summary>
    public Tensor Logits(Tape tape, Tensor xTD)
    {
        var logitsTE = tape.RouterLogits(xTD, _weightDE, _biasE?.Value);
        return _adapter is null ? logitsTE : _adapter.AddToLogits(tape, logitsTE, xTD);
    }
}
