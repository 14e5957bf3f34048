namespace Microsoft.ML.Moe.Routing;

/// <summary>A token that routers are often unsure about.</summary>
/// <param name="Text">
/// The token: a word or symbol, or a tokenizer's subword; <c>[start]</c> at the start of each text; the id in brackets where the
/// tokenizer tells no text.
/// </param>
/// <param name="Count">How often it was uncertain.</param>
/// <param name="ShareOfUncertain">… as a share of all uncertain tokens of the layer.</param>
public sealed record UncertainToken(string Text, long Count, double ShareOfUncertain);
