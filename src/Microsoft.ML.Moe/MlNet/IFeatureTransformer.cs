namespace Microsoft.ML.Moe.MlNet;

/// <summary>
/// A transformer that reads a vector of features: ML.NET finds it in a chain by an interface of its own for permutation feature importance.
/// </summary>
internal interface IFeatureTransformer : ISingleFeaturePredictionTransformer
{
}
