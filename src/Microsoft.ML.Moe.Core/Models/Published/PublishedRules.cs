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

    /// <summary>A feed-forward network with a gate, perhaps with biases, as Llama names its matrices.</summary>
    public static WeightRules Gated(this WeightRules rules, string target, string source) => rules
        .Linear(target + ".first", source + ".gate_proj")
        .Linear(target + ".gate", source + ".up_proj")
        .Linear(target + ".second", source + ".down_proj");

    /// <summary>
    /// Experts with a gate, each with matrices of its own, as they are published, or all in two tensors, as transformers 5 holds them.
    /// </summary>
    /// <param name="rules">The rules.</param>
    /// <param name="source">What the names begin with, of layer {l}.</param>
    /// <param name="gate">Name of the matrix before the activation.</param>
    /// <param name="up">Name of that which the result is multiplied with.</param>
    /// <param name="down">Name of the last.</param>
    public static WeightRules GatedExperts(
        this WeightRules rules, string source, string gate = "gate_proj", string up = "up_proj", string down = "down_proj") => rules
        .Stack("layers.{l}.moe.experts.w1", $"{source}.{{e}}.{gate}.weight", transpose: true)
        .Stack("layers.{l}.moe.experts.gate", $"{source}.{{e}}.{up}.weight", transpose: true)
        .Stack("layers.{l}.moe.experts.w2", $"{source}.{{e}}.{down}.weight", transpose: true)
        .Slice("layers.{l}.moe.experts.w1", source + ".gate_up_proj", 0, of: 2, axis: 1, transpose: true)
        .Slice("layers.{l}.moe.experts.gate", source + ".gate_up_proj", 1, of: 2, axis: 1, transpose: true)
        .Copy("layers.{l}.moe.experts.w2", source + ".down_proj", transpose: true);

    /// <summary>
    /// What turns states into scores of the vocabulary: a copy of the token table where they are tied, whatever else a file may hold.
    /// </summary>
    public static WeightRules Decoder(this WeightRules rules, PublishedConfig config, string words, string weight, string bias) => rules
        .Copy("guess.decoder.weight", config.TiesDecoder ? words : weight, transpose: true)
        .Copy("guess.decoder.bias", bias);
}
