namespace Microsoft.ML.Moe.Routing;

/// <summary>How much one expert is used.</summary>
/// <param name="Pairs">Tokens that were sent to it.</param>
/// <param name="ShareOfPairs">… as a share of all token–expert pairs of the layer; the experts' sum to 1.</param>
/// <param name="ShareOfTokens">… as a share of all tokens; the experts' sum to the experts per token.</param>
/// <param name="MeanProbability">Router probability, the mean over all tokens; the experts' sum to 1.</param>
public sealed record ExpertLoad(long Pairs, double ShareOfPairs, double ShareOfTokens, double MeanProbability);
