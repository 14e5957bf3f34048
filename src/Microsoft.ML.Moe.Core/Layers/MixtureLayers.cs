namespace Microsoft.ML.Moe.Layers;

/// <summary>Makes the mixture of experts of a block, as its router says.</summary>
internal static class MixtureLayers
{
    /// <summary>A sparse mixture, or a soft one.</summary>
    /// <param name="store">Makes the parameters.</param>
    /// <param name="name">What their names begin with.</param>
    /// <param name="block">Number of the block.</param>
    /// <param name="width">D.</param>
    /// <param name="hiddenWidth">F, of an expert.</param>
    /// <param name="settings">How it routes.</param>
    /// <param name="outputGain">Factor of the random values of the experts' last matrices.</param>
    public static IFeedForward Create(
        ParameterStore store, string name, int block, int width, int hiddenWidth, MoeSettings settings, float outputGain) =>
        settings.Policy is not null
            ? new MoeLayer(store, name, block, width, hiddenWidth, settings, outputGain)
            : new SoftMoeLayer(
                store,
                name,
                width,
                new ExpertNetworks(store, name + ".experts", settings.Experts, width, hiddenWidth, settings.Expert, outputGain).Weights,
                settings.SlotsPerExpert);
}
