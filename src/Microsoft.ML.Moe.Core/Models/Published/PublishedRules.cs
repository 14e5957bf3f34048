using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>Rules of layers, as torch names their tensors.</summary>
internal static class PublishedRules
{
    /// <summary>A linear layer with bias.</summary>
    public static WeightRules Linear(this WeightRules rules, string target, string source) =>
        rules.Copy(target + ".weight", source + ".weight", transpose: true).Copy(target + ".bias", source + ".bias");

    /// <summary>Layer normalisation; very old files call weight and bias gamma and beta.</summary>
    public static WeightRules Norm(this WeightRules rules, string target, string source) => rules
        .Copy(target + ".gain", $"{source}.weight | {source}.gamma")
        .Copy(target + ".bias", $"{source}.bias | {source}.beta");

    /// <summary>
    /// What turns states into scores of the vocabulary: a copy of the token table where they are tied, whatever else a file may hold.
    /// </summary>
    public static WeightRules Decoder(this WeightRules rules, PublishedConfig config, string words, string weight, string bias) => rules
        .Copy("guess.decoder.weight", config.TiesDecoder ? words : weight, transpose: true)
        .Copy("guess.decoder.bias", bias);
}
