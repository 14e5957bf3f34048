namespace Microsoft.ML.Moe.Routing;

/// <summary>A bar of an entropy histogram.</summary>
/// <param name="From">Smallest entropy in it, in nats.</param>
/// <param name="To">Where the next bin starts; the last bin includes it.</param>
/// <param name="Tokens">Tokens in it.</param>
/// <param name="UncertainTokens">How many of them are uncertain; only the bin that H* lies in has both kinds.</param>
public sealed record EntropyBin(double From, double To, long Tokens, long UncertainTokens);
