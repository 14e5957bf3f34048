using System.Reflection;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.MlNet;

/// <summary>
/// The steps of a pipeline. ML.NET fits a chain as a whole and tells nothing of its steps: to give a trainer within it validation rows that
/// have been through the steps before, they are fitted one by one.
/// </summary>
internal static class EstimatorSteps
{
    /// <summary>The estimators of a chain, and of chains within it, in their order; the estimator itself if it is no chain.</summary>
    public static IEnumerable<IEstimator<ITransformer>> Of(IEstimator<ITransformer> estimator)
    {
        var type = estimator.GetType();
        var steps = type.IsGenericType && type.GetGenericTypeDefinition() == typeof(EstimatorChain<>)
            ? type.GetField("_estimators", BindingFlags.Instance | BindingFlags.NonPublic)?.GetValue(estimator) as IEstimator<ITransformer>[]
            : null;
        return steps is null ? [estimator] : steps.SelectMany(Of);
    }

    /// <summary>The shape of a table, as estimators are asked with.</summary>
    public static SchemaShape ShapeOf(DataViewSchema schema) => SchemaShape.Create(schema);
}
