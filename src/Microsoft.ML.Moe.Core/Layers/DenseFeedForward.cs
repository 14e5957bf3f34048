using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>One feed-forward network for all tokens; see <see cref="FeedForwardSettings"/>.</summary>
internal sealed class DenseFeedForward : IFeedForward
{
    private readonly Linear _first;
    private readonly Linear? _gate;
    private readonly Linear _second;

    public DenseFeedForward(
        ParameterStore store, string name, int width, int hiddenWidth, float outputGain, FeedForwardSettings? settings = null)
    {
        settings ??= new FeedForwardSettings();
        var (activation, hasGate, hasBias) = settings;
        _first = new Linear(store, name + ".first", width, hiddenWidth, activation, hasBias: hasBias);
        _gate = hasGate ? new Linear(
            store, name + ".gate", width, hiddenWidth, settings.GateActivation, hasBias: settings.HasGateBias) : null;
        _second = new Linear(store, name + ".second", hiddenWidth, width, gain: outputGain, hasBias: settings.AddsSecondBias);
    }

    /// <inheritdoc/>
    public Tensor Forward(ForwardContext context, Tensor xTD)
    {
        var tape = context.Tape;
        var hiddenTF = _first.Forward(tape, xTD);
        if (_gate is not null)
            hiddenTF = tape.Multiply(hiddenTF, _gate.Forward(tape, xTD));
        return _second.Forward(tape, hiddenTF);
    }
}
