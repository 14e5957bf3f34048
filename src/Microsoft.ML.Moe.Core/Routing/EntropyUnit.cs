namespace Microsoft.ML.Moe.Routing;

/// <summary>In what a threshold of router entropy is given.</summary>
public enum EntropyUnit
{
    /// <summary>Nats, as in the paper: 1.6 and 1.8 for 8 experts, whose largest entropy is ln 8 = 2.079.</summary>
    Nats,

    /// <summary>Share of the largest entropy, ln N, within [0, 1]: means the same for any number of experts.</summary>
    ShareOfMaximum,

    /// <summary>Share of the tokens that are to be uncertain, within [0, 1]; calibrated on training data, for each layer.</summary>
    ShareOfTokens,
}
